"""Content credentials made at test time: an authority, its signer, and media that it signs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
AI = SOURCE_TYPES + "trainedAlgorithmicMedia"
CAMERA = SOURCE_TYPES + "digitalCapture"
SIGNER = "Silver Test Signer"
_Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Authority:
    """Signs media. `anchor`: its root certificate, PEM; `chain`: its signer's certificate and the root's."""

    anchor: bytes
    chain: bytes
    key: bytes

    @classmethod
    def new(cls) -> Authority:
        root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = _certificate("Silver Test Root", root_key, "Silver Test Root", root_key, authority=True)
        leaf = _certificate(SIGNER, key, "Silver Test Root", root_key, authority=False)
        secret = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls(root, leaf + root, secret)

    def sign(
        self,
        source: Path,
        target: Path,
        source_type: str | None = None,
        *,
        parent: Path | None = None,
        relationship: str = "parentOf",
        remote: str | None = None,
        assertions: tuple[dict[str, Any], ...] = (),
    ) -> Path:
        """Write `target`: `source` with a manifest.

        Args:
            source_type: the digital source type that its `c2pa.created` states.
            parent: an ingredient, which stands in `relationship` to it.
            remote: the address that the manifest is said to be at, instead of in the file.
            assertions: further ones.
        """
        action = {"action": "c2pa.opened"} if parent else {"action": "c2pa.created"}
        if source_type:
            action["digitalSourceType"] = source_type
        manifest = {
            "claim_generator_info": [{"name": "testbed", "version": "1"}],
            "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}, *assertions],
        }
        settings = {
            "verify": {"verify_after_sign": False, "verify_trust": False},
            "builder": {"thumbnail": {"enabled": False}},
        }
        signer = c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, self.chain, self.key, None)
        with (
            c2pa.Context.from_dict(settings) as context,
            c2pa.Builder(json.dumps(manifest), context) as builder,
            c2pa.Signer.from_info(signer) as signing,
        ):
            if parent:
                with parent.open("rb") as ingredient:
                    described = json.dumps({"title": parent.name, "relationship": relationship})
                    builder.add_ingredient(described, f"video/{parent.suffix[1:]}", ingredient)
            if remote:
                builder.set_no_embed()
                builder.set_remote_url(remote)
            builder.sign_file(str(source), str(target), signing)
        return target


def _certificate(subject: str, key: _Key, issuer: str, issuer_key: _Key, *, authority: bool) -> bytes:
    """In PEM, with what C2PA demands of one (C2PA 2.2, section 14.5.1)."""
    now = datetime.now(UTC)
    usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority, key_cert_sign=authority, crl_sign=authority,
                encipher_only=False, decipher_only=False, **usage,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )  # fmt: skip
    if not authority:
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(usages, critical=False)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _name(name: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )
