"""Trains the WordPiece vocabulary of the pipeline `embed` on the shipped texts.

    python -m suites.pipelines.train_vocabulary

The same texts and version of tokenizers give the same file.
"""

from __future__ import annotations

from pathlib import Path

from suites.pipelines.catalogue import pipeline
from suites.pipelines.embed import PAD, VOCABULARY

ENTRIES = 2048
"""At most: the vocabulary of the smallest encoder."""
TWICE = 2
"""A piece must occur as often as this, so that rare words are put together from several."""
UNKNOWN = "[UNK]"
SPECIAL = (PAD, UNKNOWN, "[CLS]", "[SEP]", "[MASK]")
PREFIX = "##"


def train(path: Path) -> int:
    """Write the tokenizer to `path` and return its number of entries."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    texts = [text.read_text("utf-8") for text in pipeline("embed").samples]
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = sorted(set("".join(tokenizer.normalizer.normalize_str("".join(texts)).split())))
    # Named beforehand, letters get fixed ids. The trainer would number them in the order of a hash table, and break
    # ties between pieces by it: no two vocabularies would be the same.
    known = [*SPECIAL, *letters, *(PREFIX + letter for letter in letters)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=ENTRIES, min_frequency=TWICE, special_tokens=known, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    # Made anew from the pieces alone: in the trained one the letters are special tokens, taken out of every word.
    entries = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    final = Tokenizer(models.WordPiece(dict(entries), unk_token=UNKNOWN, continuing_subword_prefix=PREFIX))
    final.normalizer, final.pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer
    ends = [(name, final.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    final.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    final.save(str(path))
    return int(final.get_vocab_size())


if __name__ == "__main__":
    print(f"{VOCABULARY.name}: {train(VOCABULARY)} entries")
