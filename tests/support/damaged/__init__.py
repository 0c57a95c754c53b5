"""Files that are damaged, and all that reads them."""
