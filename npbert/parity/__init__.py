"""Numbers against numbers: golden bundles, and later comparison, diagnosis and reports."""
