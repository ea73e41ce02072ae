"""The data that Bills et al. published, file by file: where it lies, what is in it, and writing it again."""
