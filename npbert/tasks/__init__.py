"""What people ask of BERT: text in, an answer out.

===================== =========================================================================
`embedder`            `Embedder`: texts -> vectors, with sentence-transformers' names
`text_embedder`       `BertTextEmbedder`: the same with Keras Hub's
`text_classifier`     `BertTextClassifier`: texts and pairs of them -> classes, scores, a ranking
`masked_lm`           `BertMaskedLM`: texts with gaps -> what fits in them
`similarity`          vectors -> how alike they are
===================== =========================================================================

Of all of them: `texts` and `pairs` say what a caller may pass, `keywords` which names; `batching`
says what is computed together.

Of the two that give vectors: `encode_options` checks what is asked for, `encoder` does the work,
with `pooled` (pooling, and the modules after it), `chunks` (texts that are too long) and
`truncation` (what is said of them); `model_files` and `saved_embedder` read a model's files, and
`embedder_facts` answers questions.

Of the two with heads: `task` is their base, `loading` and `readers` open a preset, `task_files`
reads and writes Keras's files; `saved_classifier` and `saved_masked_lm` find the head,
`classifier_options`, `masked_inputs` and `filling` do what their names say, and `scores` puts what
comes out in order.
"""
