"""rarecall finds the fine-tuning configuration that recalls the rare classes without giving up the common ones."""
