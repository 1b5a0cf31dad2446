"""The embedded demo data: generated news items about technology."""
