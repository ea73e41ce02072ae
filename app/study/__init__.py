"""Rating studies: from a definition to what raters see, from what they answer to results."""
