"""The names of the signals that a ranking is fused from, and what each says."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

__all__ = ["SIGNALS", "SIGNALS_TOLD", "Signal"]


class Signal(StrEnum):
    """One number for one candidate, about 0 to 1; profiles weigh them by name."""

    WORDS = "words"
    WINDOW = "window"
    COVER = "cover"
    RAREST = "rarest"
    WORDS_RANK = "words_rank"
    VECTOR = "vector"
    VECTOR_SCALED = "vector_scaled"
    AFTER = "after"
    PART = "part"
    VECTOR_RANK = "vector_rank"
    BARE = "bare"
    BARE_AFTER = "bare_after"
    BARE_PART = "bare_part"
    HEAD = "head"
    HEAD_WORDS = "head_words"
    HEAD_SHARE = "head_share"
    BOTH = "both"
    NEAR_WORDS = "near_words"
    NEAR_VECTOR = "near_vector"
    THREAD_WORDS = "thread_words"
    THREAD_VECTOR = "thread_vector"
    LENGTH = "length"
    SPEAKER = "speaker"
    OTHER_SPEAKER = "other_speaker"
    WHEN = "when"
    ASKS = "asks"
    SHORT = "short"
    NUMBER = "number"
    RECENT = "recent"
    CLOSED = "closed"
    WORDS_SURE = "words_sure"
    VECTOR_SURE = "vector_sure"
    WORDS_LONG = "words_long"
    VECTOR_LONG = "vector_long"


SIGNALS = tuple(Signal)

#: What each signal says, for `manyhands memory why`.
SIGNALS_TOLD: Mapping[Signal, str] = {
    Signal.WORDS: "BM25, as a share of the best",
    Signal.WINDOW: "BM25 of the item with its two neighbours",
    Signal.COVER: "share of the question's information that it holds",
    Signal.RAREST: "whether it holds the question's rarest word",
    Signal.WORDS_RANK: "1 / (1 + rank / 5) by words",
    Signal.VECTOR: "cosine with the item as a whole",
    Signal.VECTOR_SCALED: "the cosine, between that of the hundredth best and the best",
    Signal.AFTER: "cosine with the turn and the two before it",
    Signal.PART: "greatest cosine with a sentence or part",
    Signal.VECTOR_RANK: "1 / (1 + rank / 5) by vectors",
    Signal.BARE: "the item's cosine with the question without names of speakers and languages",
    Signal.BARE_AFTER: "the same for the turn and the two before it",
    Signal.BARE_PART: "the same for its best sentence or part",
    Signal.HEAD: "cosine with a function's name and what its docstring says first",
    Signal.HEAD_WORDS: "share of the question's information that its first words hold",
    Signal.HEAD_SHARE: "share of its first words that the question has",
    Signal.BOTH: "words x vector_scaled",
    Signal.NEAR_WORDS: "the better neighbour's words",
    Signal.NEAR_VECTOR: "the better neighbour's vector",
    Signal.THREAD_WORDS: "the best words of its session: its thread on its day",
    Signal.THREAD_VECTOR: "the best vector of its session",
    Signal.LENGTH: "log of the number of words, 1 at 400",
    Signal.SPEAKER: "the question names its speaker",
    Signal.OTHER_SPEAKER: "the question names another speaker",
    Signal.WHEN: "the question asks for a time and the item names one",
    Signal.ASKS: "the item is itself a question",
    Signal.SHORT: "it is a nod or a greeting",
    Signal.NUMBER: "how many, how much; and the item has a number",
    Signal.RECENT: "rank by time among the candidates",
    Signal.CLOSED: "superseded by a newer fact",
    Signal.WORDS_SURE: "words x the best cover",
    Signal.VECTOR_SURE: "vector_scaled x the best cover",
    Signal.WORDS_LONG: "words x the question's length",
    Signal.VECTOR_LONG: "vector_scaled x the question's length",
}
