"""Embeddings and rerank: the Python clients of OpenAI, Google and Cohere on providers of other shapes."""

import cohere
import openai
from google import genai
from google.genai import types

from cases import CROSS, KEY, Suite, each, raises

suite = Suite("vectors, translated")

# "gemini" in a name makes the Google client send all texts as one content.
PROVIDERS = ("embed-openai", "embed-voyage", "embed-google", "embed-cohere", "embed-ollama", "embed-titan")
RANKERS = ("rerank-jina", "rerank-voyage", "rerank-cohere")
TEXTS = ["alpha", "beta", "gamma"]
DOCUMENTS = ["one", "two", "three", "four"]

openai_client = openai.OpenAI(base_url=CROSS + "/v1", api_key=KEY, timeout=20)
google_client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=CROSS, timeout=20_000))
cohere_client = cohere.ClientV2(base_url=CROSS, api_key=KEY, timeout=20)


def near(one, other):
    assert len(one) == len(other) == 64, (len(one), len(other))
    assert all(abs(a - b) < 1e-6 for a, b in zip(one, other)), (one[:3], other[:3])


def known():
    answer = openai_client.embeddings.create(model="embed-openai", input=TEXTS, encoding_format="float")
    return [entry.embedding for entry in answer.data]


def from_openai(model):
    """The openai client embeds, packed and as numbers."""
    # The client asks for base64 unless it is told not to.
    for more in ({}, {"encoding_format": "float"}):
        answer = openai_client.embeddings.create(model=model, input=TEXTS, **more)
        assert [entry.index for entry in answer.data] == [0, 1, 2], answer
        for entry, vector in zip(answer.data, known()):
            near(entry.embedding, vector)
        assert answer.usage.prompt_tokens > 0, answer.usage


def from_google(model):
    """The google-genai client embeds."""
    answer = google_client.models.embed_content(model=model, contents=TEXTS)
    for entry, vector in zip(answer.embeddings, known(), strict=True):
        near(entry.values, vector)


def from_cohere(model):
    """The cohere client embeds."""
    answer = cohere_client.embed(model=model, texts=TEXTS, input_type="search_query", embedding_types=["float"])
    for entry, vector in zip(answer.embeddings.float_, known(), strict=True):
        near(entry, vector)


def reranks(model):
    """The cohere client reranks."""
    answer = cohere_client.rerank(model=model, query="q", documents=DOCUMENTS, top_n=3)
    best = cohere_client.rerank(model="rerank-cohere", query="q", documents=DOCUMENTS, top_n=3)
    places = [(result.index, result.relevance_score) for result in answer.results]
    assert places == [(result.index, result.relevance_score) for result in best.results], answer
    assert len(places) == 3 and places[0][1] > places[2][1], places


each(suite, PROVIDERS, (from_openai, from_google, from_cohere))
each(suite, RANKERS, (reranks,))


@suite.case("The openai client gets a shorter vector of a provider with another word for it")
def _():
    answer = openai_client.embeddings.create(model="embed-google", input="a", dimensions=16)
    assert len(answer.data[0].embedding) == 16


@suite.case("The openai client embeds more texts than the provider takes in one call")
def _():
    texts = [f"text {number}" for number in range(230)]
    one = openai_client.embeddings.create(model="embed-openai", input=texts)
    for model in ("embed-google", "embed-cohere"):
        answer = openai_client.embeddings.create(model=model, input=texts)
        assert len(answer.data) == 230
        for entry, vector in zip(answer.data, one.data):
            near(entry.embedding, vector.embedding)


@suite.case("The cohere client is told which numbers a provider cannot make")
def _():
    ask = lambda: cohere_client.embed(
        model="embed-openai", texts=["a"], input_type="search_query", embedding_types=["int8"]
    )
    error = raises(cohere.errors.BadRequestError, ask)
    assert "int8" in str(error.body), error.body
