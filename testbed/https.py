"""An https server whose certificate is of an authority of its own, made when a test runs."""

from __future__ import annotations

import datetime
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Authority:
    """Certificates for some host names. `trust()`: a client's context that knows no other authority."""

    certificate: Path
    chain: Path

    @classmethod
    def make(cls, folder: Path, names: Sequence[str]) -> Authority:
        now = datetime.datetime.now(datetime.UTC)
        key, own_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

        def build(name: str, public_key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType) -> x509.Certificate:
            return (
                x509.CertificateBuilder()
                .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
                .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")]))
                .public_key(public_key)
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(hours=1))
                .not_valid_after(now + datetime.timedelta(days=1))
                .add_extension(extension, critical=True)
                .sign(key, hashes.SHA256())
            )

        root = build("authority of a test", key.public_key(), x509.BasicConstraints(ca=True, path_length=0))
        hosts = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        leaf = build(names[0], own_key.public_key(), hosts)
        pem = serialization.Encoding.PEM
        private = own_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        certificate, chain = folder / "authority.pem", folder / "chain.pem"
        certificate.write_bytes(root.public_bytes(pem))
        chain.write_bytes(leaf.public_bytes(pem) + private)
        return cls(certificate, chain)

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)

    def serve(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain)
        return context


@dataclass
class HttpsServer:
    """What a server was asked, and what it answers by path (the query left out)."""

    port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Host header and target of each request."""


@contextmanager
def https_server(authority: Authority) -> Iterator[HttpsServer]:
    """Serve on a loopback port until the block ends."""
    server = HttpsServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append((self.headers["Host"], self.path))
            with suppress(OSError):
                server.answers[self.path.partition("?")[0]](self)

        def log_message(self, *_: object) -> None:
            return

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:  # callers who leave, or trust nobody here, are no failure
            return

    with Quiet(("127.0.0.1", 0), Handler) as listening:
        listening.socket = authority.serve().wrap_socket(
            listening.socket, server_side=True, do_handshake_on_connect=False
        )
        server.port = listening.server_port
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join(20)


def giving(status: int, body: bytes = b"", **headers: str) -> Answer:
    """A whole answer; underscores in headers' names stand for dashes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def forwarding(port: int) -> Answer:
    """What a server on the loopback `port` answers to the same request in plain HTTP."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
            connection.putrequest("GET", handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            got = connection.getresponse()
            giving(got.status, got.read())(handler)

    return answer
