"""The recipe of the shipped model: its examples, a short training, export and evaluation; without public data."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BertConfig, BertLMHeadModel

from models import Generation
from models.language_model import TransformersLanguageModel
from models.training import tokenizer as vocabulary
from models.training.evaluate import evaluate, held_out, judge, summary, table
from models.training.examples import Example
from models.training.export import export
from models.training.mixture import Mixture
from models.training.phrases import load, part_of
from models.training.public import Material, _answer, _sentences
from models.training.train import Schedule, batches, tokens_of, train
from models.training.warm_start import warm_start

SCHEDULE = Schedule(steps=4, warm_up=1, batch_tokens=800, block=8)
COFFEE = ("coffee", "kahvi", "roast", "paaht", "espresso")


@pytest.fixture(scope="module")
def mixture() -> Mixture:
    return Mixture.open(None, seed=3)


@pytest.fixture(scope="module")
def tokenizer(mixture: Mixture) -> Any:
    return vocabulary.train(vocabulary.corpus(mixture, 300), vocabulary=2500)


def tiny(tokenizer: Any) -> Any:
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=256, is_decoder=True, hidden_dropout_prob=0, attention_probs_dropout_prob=0,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, bos_token_id=tokenizer.bos_token_id,
    )  # fmt: skip
    return BertLMHeadModel(config)


def passages_of(example: Example) -> dict[int, str]:
    lines = example.messages[1]["content"].split("\n")
    return {int(line[1]): lines[i + 1] for i, line in enumerate(lines) if line[:1] == "[" and line[2:3] == "]"}


def test_it_works(tmp_path: Path, mixture: Mixture, tokenizer: Any) -> None:
    model = tiny(tokenizer)
    position = train(model, tokenizer, mixture, SCHEDULE, tmp_path)
    assert position.step == 4
    export(model, tokenizer, tmp_path / "model", "tiny-1")
    verdicts, drafts = evaluate(TransformersLanguageModel(str(tmp_path / "model")), held_out(mixture, 2, longest=80))
    assert len(verdicts) == len(drafts) == 2
    assert "| all | 2 |" in table(summary(verdicts))


def test_examples_depend_on_the_seed_and_the_number_alone(mixture: Mixture) -> None:
    again = Mixture.open(None, seed=3)
    assert [mixture.example(n) for n in range(40)] == [again.example(n) for n in range(40)]
    assert mixture.example(7) != Mixture.open(None, seed=4).example(7)
    assert mixture.example(7) != mixture.example(7, again=1)


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_every_fact_stands_in_the_passage_that_its_mark_names(mixture: Mixture, split: Any) -> None:
    for number in range(400):
        example = mixture.example(number, split)
        passages = passages_of(example)
        assert example.facts
        for sentence, mark in example.facts:
            assert sentence in passages[mark]
            assert f"{sentence} [{mark}]" in example.reply
        assert example.messages[0]["content"].startswith(f"{example.language} · ")


def test_a_reference_reply_is_judged_good_and_a_changed_one_is_not(mixture: Mixture) -> None:
    for number in range(60):
        example = mixture.example(number, "held_out")
        verdict = judge(example, Generation(example.reply, 1, 1, finished=True), 0.1)
        assert verdict.good
        assert verdict.complete
    example = held_out(mixture, 2)[0]
    sentence, mark = example.facts[0]
    for wrong in (
        example.reply.replace(sentence, sentence + " Or not."),
        example.reply.replace(sentence, sentence[:-3] + "9" + sentence[-3:]),
        example.reply.replace(f" [{mark}]", " [8]"),
        example.reply.replace(f" [{mark}]", ""),
    ):
        assert not judge(example, Generation(wrong, 1, 1, finished=True), 0.1).good
    assert not judge(example, Generation(example.reply, 1, 1, finished=False), 0.1).good


@pytest.mark.parametrize("language", ["en", "fi"])
def test_what_is_held_out_is_never_trained_on(mixture: Mixture, language: Any) -> None:
    phrases = load(language)
    lists = [*phrases.frames.values(), *(topic["asks"] for topic in phrases.topics.values())]
    for frames in (some for some in lists if len(some) > 3):
        train_part, kept = part_of(frames, "train"), part_of(frames, "held_out")
        assert sorted(train_part + kept) == sorted(frames)
    assert not set(phrases.branches_of("train")) & set(phrases.branches_of("held_out"))
    kept_turns = [f for f in part_of(phrases.frames["customer_turn"], "held_out") if "{" not in f]
    asks = [topic["asks"] for topic in phrases.topics.values() if len(topic["asks"]) > 3]
    kept_asks = [ask for some in asks for ask in part_of(some, "held_out") if "{" not in ask]
    assert kept_asks
    text = " ".join(f"{e.messages[1]['content']} {e.reply}" for e in map(mixture.example, range(1500)))
    assert not [phrase for phrase in kept_turns + kept_asks if len(phrase) > 25 and phrase in text]


def test_the_branch_of_the_demo_is_not_in_the_phrases() -> None:
    for language in ("en", "fi"):
        branches = json.dumps(load(language).branches).casefold()
        assert not [word for word in COFFEE if word in branches]


def test_an_interrupted_training_gives_what_an_uninterrupted_one_gives(
    tmp_path: Path, mixture: Mixture, tokenizer: Any
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = tiny(tokenizer)
    train(whole, tokenizer, mixture, SCHEDULE, tmp_path / "a")
    train(tiny(tokenizer), tokenizer, mixture, SCHEDULE, tmp_path / "b", stop_after=3)
    resumed = tiny(tokenizer)
    position = train(resumed, tokenizer, mixture, SCHEDULE, tmp_path / "b")
    assert position.step == 4
    for (name, one), other in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_the_loss_falls(tmp_path: Path, mixture: Mixture, tokenizer: Any) -> None:
    from models.training.train import loss_of

    model = tiny(tokenizer)
    batch = batches(tokenizer, mixture, SCHEDULE, 0, 256)[0]
    before = loss_of(model, batch)[0].item()
    train(model, tokenizer, mixture, Schedule(steps=12, warm_up=1, batch_tokens=800, block=8, rate=3e-3), tmp_path)
    assert loss_of(model, batch)[0].item() < before - 0.3


def test_batches_learn_the_whole_reply_and_some_of_the_prompt(mixture: Mixture, tokenizer: Any) -> None:
    for number in range(3):
        ids, reply = tokens_of(tokenizer, mixture, number, 256)
        assert ids[-1] == tokenizer.eos_token_id
        assert ids[reply - 1] == tokenizer.convert_tokens_to_ids("<r>")
        assert tokenizer.decode(ids[reply:-1]).strip() == mixture.example(number).reply or len(ids) < 256
    for batch in batches(tokenizer, mixture, SCHEDULE, 1, 256):
        assert batch.tokens.numel() <= 800 or batch.tokens.shape[0] == 1
        assert 0 <= batch.first <= 256 - batch.tokens.shape[1]
        for row, kept, weights in zip(
            batch.tokens.tolist(), batch.labels.tolist(), batch.weights.tolist(), strict=True
        ):
            start = row.index(tokenizer.convert_tokens_to_ids("<r>")) + 1
            end = row.index(tokenizer.eos_token_id) + 1
            assert kept[start:end] == row[start:end]
            assert all(label == -100 for label in kept[end:])
            heavy = [tokenizer.decode([token]) for token, weight in zip(row[:end], weights, strict=False) if weight > 1]
            assert set("123") & set(heavy)  # the number in a mark
            assert max(weights[:start]) == 1
            assert sum(label != -100 for label in kept[:start]) < start / 2


def test_digits_stand_alone_and_words_are_the_same_token_everywhere(tokenizer: Any) -> None:
    assert [tokenizer.decode([i]) for i in tokenizer.encode("1250")] == ["1", "2", "5", "0"]
    rendered = tokenizer.apply_chat_template(
        [
            {"role": "system", "content": "en · Shop\nrules"},
            {"role": "user", "content": "[1] Where\nHere\ncustomer: hi"},
        ],
        add_generation_prompt=True,
        tokenize=False,
    )
    assert rendered == "<s> en · Shop\n [1] Where\n Here\n customer: hi<r>"


def test_an_exported_model_loads_as_any_other(tmp_path: Path, mixture: Mixture, tokenizer: Any) -> None:
    made = tiny(tokenizer)
    export(made, tokenizer, tmp_path / "model", "tiny-7")
    assert "/" not in json.loads((tmp_path / "model/config.json").read_text()).get("_name_or_path", "")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert loaded.dtype == torch.bfloat16
    assert AutoTokenizer.from_pretrained(tmp_path / "model").chat_template == vocabulary.CHAT_TEMPLATE
    model = TransformersLanguageModel(str(tmp_path / "model"))
    assert model.name == "tiny-7"
    assert model.context_tokens == 256
    chat = mixture.example(2).messages
    assert model.count_tokens(chat) == len(
        tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
    )


def test_a_model_too_heavy_for_the_repository_is_refused(
    tmp_path: Path, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.training.export.LIMIT", 1000)
    with pytest.raises(ValueError, match="learn a smaller vocabulary"):
        export(tiny(tokenizer), tokenizer, tmp_path / "model", "tiny-1")


def test_the_start_knows_what_minilm_knows(tokenizer: Any) -> None:
    model: Any = warm_start(tokenizer)
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    rows = model.bert.embeddings.word_embeddings.weight.detach()

    def near(one: str, other: str) -> float:
        a, b = (rows[tokenizer.encode(text)].mean(0) for text in (one, other))
        return float(torch.nn.functional.cosine_similarity(a, b, dim=0))

    assert len(tokenizer.encode(" You")) == len(tokenizer.encode(" you")) == 1
    assert near(" you", " You") > 0.9 > near(" you", " days")


def test_public_text_is_cut_into_whole_sentences_and_the_answer_found() -> None:
    sentences = _sentences(
        "Kauppa avattiin vuonna 1950.[3] Sen perusti Aino Salo. kesken jäänyt, (vrt. turku) on pieni kylä."
    )
    assert sentences[:2] == [
        "Kauppa avattiin vuonna 1950.",
        "Sen perusti Aino Salo. kesken jäänyt, (vrt. turku) on pieni kylä.",
    ]
    assert _answer(["Kauppa avattiin vuonna 1950.", "Sen perusti Aino Salo."], "Kuka perusti kaupan?") == (1, 1)
    assert Material().words() == []
