"""The report as a web page: `page` puts the modules of `sections` together with style and script.

`drawing` makes pictures, `table` tables, `markup` the elements they all consist of.
"""
