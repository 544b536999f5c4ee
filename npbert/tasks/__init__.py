"""What people ask of BERT: text in, an answer out.

================ ==============================================================================
`embedder`       texts -> vectors
`similarity`     vectors -> how alike they are
`progress`       the bar on stderr that long work shows
================ ==============================================================================
"""
