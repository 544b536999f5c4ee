"""Text to token ids, and what a model directory says about the way from tokens to one vector.

======================== ======================================================================
`tokenizer`              the one interface over both libraries' tokenizers; which one a model gets
`checks`                 what may be a text or a token id

`hugging_face_tokenizer` Hugging Face's, through the ``tokenizers`` library
`hugging_face_files`     what stands beside ``tokenizer.json``, or in its place: ``vocab.txt``

`bert_tokenizer`         Keras Hub's ``BertTokenizer``; `tokenizer_settings` are its options
`splitting`              a text to words; `folding` their case, `unicode_classes` what splits them
`wordpiece`              a word to tokens of the `vocabulary`; `offsets` where they are in a text
`preprocessors`          Keras Hub's, from texts to a model's inputs, over `preprocessor`
`packing`, `masking`     what they do to tokens: cut and join segments, hide some
`keras_inputs`           what Keras Hub takes for a text or a batch; `keras_outputs` what it returns
`keras_files`            its JSON files, read and written; `keras_object` what has them
`to_keras`               Hugging Face's tokenizer as those files

`limits`                 how many tokens a text may have, and which file said so
`sentence_transformers`  the modules that make one vector of a text's tokens
`dense`, `prompts`       its Dense module; its prompts and similarity
======================== ======================================================================

The ``tokenizers`` library is imported when the first of its tokenizers is loaded.
"""
