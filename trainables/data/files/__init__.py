"""Data files of any format, row by row: how their bytes are unpacked, decoded and taken apart."""
