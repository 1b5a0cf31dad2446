"""The report as a web page: `page` puts the `*_section` modules together with style and script.

`drawing` and `strip` make pictures, `table` tables, `markup` the elements they all consist of.
"""
