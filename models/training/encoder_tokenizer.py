"""The vocabulary of the bilingual encoder: Unigram pieces of lower-case Finnish and English.

Unigram (Kudo 2018, arXiv 1804.10959) cuts Finnish compounds and endings nearer to their borders than WordPiece does.
"""

from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from models.training.encoder_texts import Texts

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def learn(texts: Texts, size: int, into: Path) -> Tokenizer:
    """Learn `size` pieces from the training texts and write them to the file."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=True)]
    )
    trainer = trainers.UnigramTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), unk_token=SPECIAL[1], max_piece_length=16, show_progress=False
    )
    tokenizer.train_from_iterator(_corpus(texts), trainer)
    tokenizer.save(str(into), pretty=False)
    return tokenizer


def _corpus(texts: Texts) -> Iterator[str]:
    """Service talk counts more often than encyclopaedias, Finnish more than English."""
    for en, fi in texts.glossary:
        yield from (fi,) * 8
        yield from (en,) * 2
    for en, fi in texts.pairs:
        yield from (fi, fi, en)
    yield from (question for question, _ in texts.questions)
    yield from (passage for _, passage in texts.questions[::4])
    yield from (text for pair in (*texts.paraphrases, *texts.not_paraphrases) for text in pair)
    yield from texts.english[::2]
