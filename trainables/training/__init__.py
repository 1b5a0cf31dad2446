"""Training: one configuration, epoch by epoch, without Ray."""
