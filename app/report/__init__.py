"""Reports of experiments: tables and figures as values, and as files. Knows results alone, no store and no page."""
