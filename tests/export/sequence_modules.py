"""Modules over sequences and graphs, as people bring them: masks, lengths, states, caches, edges."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Masked(nn.Module):
    """An attention with a mask: rows without a one are nobody's."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.o = nn.Linear(8, 24), nn.Linear(8, 8)

    def heads(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(part.unsqueeze(1) for part in self.q(x).chunk(3, -1))

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        keep = attention_mask.bool()[:, None, None, :]
        return self.o(functional.scaled_dot_product_attention(*self.heads(x), attn_mask=keep).squeeze(1))


class Additive(Masked):
    """The mask becomes a large negative number that is added to the scores."""

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        q, k, v = self.heads(x)
        bias = (1.0 - attention_mask[:, None, None, :].float()) * -1e4
        return self.o(((q @ k.transpose(-1, -2) + bias).softmax(-1) @ v).squeeze(1))


class Filled(Masked):
    """Scores are written over where the mask is 0."""

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        q, k, v = self.heads(x)
        scores = (q @ k.transpose(-1, -2)).masked_fill(attention_mask[:, None, None, :] == 0, -torch.inf)
        return self.o((scores.softmax(-1) @ v).squeeze(1))


class Causal(Masked):
    """Looks back alone: a row that starts with zeros has positions that see nothing."""

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        time = x.shape[1]
        keep = torch.ones(time, time, dtype=torch.bool).tril() & attention_mask.bool()[:, None, None, :]
        return self.o(functional.scaled_dot_product_attention(*self.heads(x), attn_mask=keep).squeeze(1))


class Window(Masked):
    """Looks two positions around alone: far behind the end of a text it sees nothing."""

    def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        place = torch.arange(x.shape[1])
        near = (place[:, None] - place[None, :]).abs() <= 2
        keep = near & attention_mask.bool()[:, None, None, :]
        return self.o(functional.scaled_dot_product_attention(*self.heads(x), attn_mask=keep).squeeze(1))


class Padded(nn.Module):
    """torch's own attention, whose mask is the other way round: ones are left out."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        return self.attention(x, x, x, key_padding_mask=padding, need_weights=False)[0]


class Pooled(nn.Module):
    """The mean of what the mask leaves."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        kept = mask.unsqueeze(-1)
        return (x * kept).sum(1) / kept.sum(1).clamp(min=1e-9)


class Edges(nn.Module):
    """Messages along edges: an index is below the number of nodes, whatever that is."""

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        return torch.zeros_like(x).index_add(0, edges[1], x[edges[0]])


class Lengths(nn.Module):
    """The mean of the first so many rows of a text."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        keep = torch.arange(x.shape[1])[None] < lengths[:, None]
        return (x * keep.unsqueeze(-1)).sum(1) / lengths.unsqueeze(-1)


class Skip(nn.Module):
    """Halves an image twice and doubles it twice: its sides are multiples of four."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 2, 3, 2, 1), nn.Conv2d(2, 2, 3, 2, 1)
        self.u, self.o = nn.ConvTranspose2d(2, 2, 2, 2), nn.ConvTranspose2d(2, 1, 2, 2)

    def forward(self, image: Tensor) -> Tensor:
        a = self.a(image).relu()
        return image + self.o(a + self.u(self.b(a)))


class Cached(nn.Module):
    """A small GPT-2 that is given what it computed of earlier tokens."""

    def __init__(self) -> None:
        from transformers.models.gpt2 import GPT2Config, GPT2LMHeadModel

        super().__init__()
        self.model = GPT2LMHeadModel(GPT2Config(vocab_size=30, n_positions=24, n_embd=8, n_layer=1, n_head=2))

    def forward(self, ids: Tensor, past_key: Tensor, past_value: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        from transformers.cache_utils import DynamicCache

        cache = DynamicCache()
        cache.update(past_key, past_value, 0)
        found = self.model(input_ids=ids, cache=cache, attention_mask=attention_mask, use_cache=True)
        return found.logits, cache.layers[0].keys, cache.layers[0].values


class Transformer(nn.Module):
    """A model of transformers, built from its configuration, as a module of ids and a mask."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.model, self.options = _transformer(kind)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask, **self.options)[0]


def _transformer(kind: str) -> tuple[nn.Module, dict[str, Any]]:
    sizes = {"vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 12, "max_position_embeddings": 24}  # fmt: skip
    if kind == "bert":
        from transformers.models.bert import BertConfig, BertModel

        return BertModel(BertConfig(**sizes)), {}
    if kind == "distilbert":
        from transformers.models.distilbert import DistilBertConfig, DistilBertModel

        config = DistilBertConfig(
            vocab_size=30, dim=8, n_layers=1, n_heads=2, hidden_dim=12, max_position_embeddings=24
        )
        return DistilBertModel(config), {}
    if kind == "modernbert":
        from transformers.models.modernbert import ModernBertConfig, ModernBertModel

        special = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 1, "cls_token_id": 1, "sep_token_id": 2}
        return ModernBertModel(ModernBertConfig(**sizes, **special, local_attention=4)), {}
    if kind == "llama":
        from transformers.models.llama import LlamaConfig, LlamaModel

        return LlamaModel(LlamaConfig(**sizes, num_key_value_heads=1)), {"use_cache": False}
    from transformers.models.clip import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(CLIPTextConfig(**sizes, eos_token_id=29, bos_token_id=28, pad_token_id=1)), {}
