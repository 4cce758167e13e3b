"""The vocabulary: cased byte-level BPE for English and Finnish, and the chat template of the shipped model."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from models.training.mixture import Mixture

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCABULARY = 12000
CONTEXT = 512
PAD, START, REPLY, END = "<pad>", "<s>", "<r>", "<e>"

# The first line of the system message alone is read. Every line begins with a space, so that a word at the beginning of
# a passage is the same token as in the middle of a reply, and copying it needs no second spelling.
CHAT_TEMPLATE = (
    "<s>{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ ' ' + m['content'].split('\n')[0] }}"
    "{% elif m['role'] == 'user' %}{{ '\n ' + m['content'].replace('\n', '\n ') }}"
    "{% else %}{{ '<r> ' + m['content'] + '<e>' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<r>{% endif %}"
)


def train(texts: Iterable[str], vocabulary: int = VOCABULARY) -> "PreTrainedTokenizerFast":
    """Learn a vocabulary of at most that size. Digits stand alone, which makes copying a number trivial."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[PAD, START, REPLY, END],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        additional_special_tokens=[REPLY],
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
        padding_side="right",
    )
    fast.chat_template = CHAT_TEMPLATE
    return fast


def corpus(mixture: Mixture, examples: int = 24000) -> Iterator[str]:
    """Yield what the vocabulary is learnt from: examples, and public text of every kind."""
    for number in range(examples):
        made = mixture.example(number)
        yield "\n ".join([made.messages[1]["content"].replace("\n", "\n "), made.reply])
    for (language, split), material in mixture.material.items():
        if split == "train":
            yield from (" " + text for text in material.sentences[:40000])
            for sentences, questions in material.passages[:: 6 if language == "fi" else 1]:
                yield " " + " ".join(sentences + questions[:3])
