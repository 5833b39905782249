"""The plain transport reads as `httpx`'s own does, keeps connections, and closes them at once."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import anyio
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from manyhands.engines.direct import DirectTransport

PATIENCE_S = 20

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
#: Answers byte by byte; each is followed by the end of the connection.
ANSWERS = {
    "a length": OK + b"Content-Type: a/b\r\nContent-Length: 5\r\n\r\nhello",
    "chunks": CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    "chunks in capitals": OK + b"transfer-encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
    "extensions and trailers": CHUNKED + b"5;name=value\r\nhello\r\n0\r\nDigest: x\r\n\r\n",
    "until the end": OK + b"\r\nhello",
    "nothing": OK + b"Content-Length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not modified, with a length": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "no reason": b"HTTP/1.1 500\r\nContent-Length: 2\r\n\r\nno",
    "an old version": b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "an interim answer": b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok",
    "blanks around a value": OK + b"X:  a b \t\r\nContent-Length:  2\r\n\r\nok",
    "the same length twice": OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "an empty answer": b"",
    "half a head": OK + b"Content-",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\n\r\n",
    "a header without a colon": OK + b"nothing\r\n\r\n",
    "a header without a name": OK + b": value\r\n\r\n",
    "a body too short": OK + b"Content-Length: 50\r\n\r\nhello",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    "a negative length": OK + b"Content-Length: -2\r\n\r\nok",
    "half a chunk": CHUNKED + b"5\r\nhel",
    "chunks without an end": CHUNKED + b"5\r\nhello\r\n",
    "a size that is none": CHUNKED + b"xyz\r\nhello\r\n",
    "a chunk too long": CHUNKED + b"2\r\nhello\r\n0\r\n\r\n",
    "a strange coding": OK + b"Transfer-Encoding: rot13\r\n\r\nuryyb",
}

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server of bytes; its port. Its tasks end with it."""
    tasks: list[asyncio.Task[object]] = []

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)  # type: ignore[misc]
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.ensure_future(client(reader, writer)))

    server = await asyncio.start_server(take, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def outcome(
    transport: httpx.AsyncBaseTransport, port: int, method: str
) -> tuple[int, list[tuple[bytes, bytes]], bytes] | str:
    """What a client makes of the answer; `broken` where it is no whole one."""
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        try:
            answer = await client.request(method, f"http://127.0.0.1:{port}/path?q=1")
        except httpx.TransportError:
            return "broken"
        # The usual transport writes lengths once and codings small.
        headers = sorted({(name.lower(), value.lower()) for name, value in answer.headers.raw})
        return answer.status_code, headers, answer.content


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place for place in at if place < len(data))})
    return [data[left:right] for left, right in pairwise(places)]


async def both(parts: Sequence[bytes], method: str) -> list[object]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)

    with anyio.fail_after(PATIENCE_S):
        async with listening(serve) as port:
            return [
                await outcome(httpx.AsyncHTTPTransport(), port, method),
                await outcome(DirectTransport(), port, method),
            ]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_read_as_the_usual_transport_reads_it(answer: bytes, method: str) -> None:
    usual, direct = anyio.run(both, [answer], method)
    assert direct == usual


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(ANSWERS.values())), st.lists(st.integers(0, 120), max_size=12))
def test_however_an_answer_is_cut_on_the_way(answer: bytes, at: list[int]) -> None:
    usual, direct = anyio.run(both, cut(answer, at), "GET")
    assert direct == usual


def test_a_head_without_end_is_refused() -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"Content-Length: 0\r\n\r\n"
    _, direct = anyio.run(both, [answer], "GET")
    assert direct == "broken"


class Counting:
    """A server that answers each request on a connection, and counts connections and requests."""

    def __init__(self, extra: bytes = b"", *, hang_up: bool = False) -> None:
        self.connections = 0
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.hung_up = asyncio.Event()
        self._extra = extra
        self._hang_up = hang_up

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            body = await reader.readexactly(length)
            if b"chunked" in head:
                body = await reader.readuntil(b"0\r\n\r\n")
            self.bodies.append(body)
            writer.write(b"HTTP/1.1 200 OK\r\n" + self._extra + b"Content-Length: 2\r\n\r\nok")
            await writer.drain()
            if self._hang_up:
                writer.close()
                await writer.wait_closed()
                self.hung_up.set()
                return


@pytest.mark.anyio
async def test_one_connection_serves_requests_in_turn() -> None:
    server = Counting()
    async with listening(server) as port, httpx.AsyncClient(transport=DirectTransport()) as client:
        for number in range(5):
            answer = await client.post(f"http://127.0.0.1:{port}/a", content=b"x" * number)
            assert answer.text == "ok"
    assert server.connections == 1
    assert [len(body) for body in server.bodies] == [0, 1, 2, 3, 4]
    assert server.heads[0].startswith(b"POST /a HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.anyio
async def test_requests_at_once_have_connections_of_their_own() -> None:
    server = Counting()
    async with listening(server) as port, httpx.AsyncClient(transport=DirectTransport()) as client:
        for _ in range(2):
            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(client.get, f"http://127.0.0.1:{port}/")
    assert server.connections == 4
    assert len(server.heads) == 8


@pytest.mark.anyio
async def test_a_server_that_says_goodbye_is_connected_anew() -> None:
    server = Counting(b"Connection: close\r\n", hang_up=True)
    async with listening(server) as port, httpx.AsyncClient(transport=DirectTransport()) as client:
        for _ in range(3):
            assert (await client.get(f"http://127.0.0.1:{port}/")).text == "ok"
    assert server.connections == 3


@pytest.mark.anyio
async def test_a_server_that_leaves_without_a_word_is_connected_anew() -> None:
    server = Counting(hang_up=True)
    async with listening(server) as port, httpx.AsyncClient(transport=DirectTransport()) as client:
        for _ in range(3):
            server.hung_up.clear()
            assert (await client.get(f"http://127.0.0.1:{port}/")).text == "ok"
            await server.hung_up.wait()
    assert server.connections == 3


@pytest.mark.anyio
async def test_a_body_left_early_closes_its_connection() -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello")
        await writer.drain()
        try:
            while await reader.read(100):
                pass
        finally:
            gone.set()

    with anyio.fail_after(PATIENCE_S):
        async with (
            listening(serve) as port,
            httpx.AsyncClient(transport=DirectTransport()) as client,
        ):
            async with client.stream("GET", f"http://127.0.0.1:{port}/") as answer:
                async for piece in answer.aiter_raw():
                    assert piece == b"hello"
                    break
            await gone.wait()


@pytest.mark.anyio
async def test_a_request_cancelled_while_it_is_sent_closes_its_connection() -> None:
    reading, gone = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        reading.set()
        try:
            while await reader.read(1 << 20):
                pass  # the rest of what was on its way, then the end
        finally:
            gone.set()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * (1 << 16)

    with anyio.fail_after(PATIENCE_S):
        async with (
            listening(serve) as port,
            httpx.AsyncClient(transport=DirectTransport()) as client,
            anyio.create_task_group() as tasks,
        ):
            send = client.post
            tasks.start_soon(lambda: send(f"http://127.0.0.1:{port}/", content=endless()))
            await reading.wait()
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await gone.wait()


@pytest.mark.anyio
async def test_a_body_of_unknown_length_is_sent_in_chunks() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for part in (b"one", b"", b"two"):
            yield part

    server = Counting()
    async with listening(server) as port, httpx.AsyncClient(transport=DirectTransport()) as client:
        await client.post(f"http://127.0.0.1:{port}/", content=parts())
    assert server.bodies == [b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"]


@pytest.mark.anyio
async def test_nobody_there_is_a_connect_error(unused_tcp: int) -> None:
    async with httpx.AsyncClient(transport=DirectTransport()) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{unused_tcp}/")
        with pytest.raises(httpx.ConnectError):
            await client.get("http://host.invalid/")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine that nobody trusts, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "certificate.pem", tmp_path / "key.pem"
    files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


@pytest.mark.anyio
async def test_a_certificate_is_checked(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate)
    server = Counting()
    with anyio.fail_after(PATIENCE_S):
        async with listening(server, tls) as port:
            address = f"https://127.0.0.1:{port}/"
            async with httpx.AsyncClient(transport=DirectTransport()) as client:
                with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                    await client.get(address)
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
            async with httpx.AsyncClient(transport=DirectTransport()) as client:
                for _ in range(2):
                    assert (await client.get(address)).text == "ok"
