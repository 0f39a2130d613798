"""Tables of the ledger, for queries. How they come about and change is written in migrations/.

Only `entry` is chained and never changes. Nothing in it is computed from a person's data: the
application lies sealed in `payload`, the way from an ID number to a `subject_ref` in `subject`, the
key that opens the payloads in `subject_key`; those can be destroyed and the chain still verifies.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, MetaData, String, Table, text

metadata = MetaData()

entry = Table(
    "entry",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("decided_at", String(32), nullable=False),
    Column("client", String(64), nullable=False),
    Column("application_id", String(64), nullable=False),
    Column("decision_id", String(40), nullable=False, unique=True),
    Column("product", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("tier", String(8), nullable=False),
    Column("scorecard", String(80), nullable=False),
    Column("villages", String(80), nullable=False),
    Column("policy", String(80), nullable=False),
    Column("rates", String(80), nullable=False),
    Column("subject_ref", String(32), nullable=False, index=True),
    Column("payload_digest", String(80), nullable=False),
    Column("previous_hash", String(80), nullable=False),
    Column("hash", String(80), nullable=False),
    Index(
        "entry_idempotency", "client", "application_id", unique=True,
        sqlite_where=text("kind = 'decision'"), postgresql_where=text("kind = 'decision'"),
    ),
    Index("entry_client_sequence", "client", "sequence"),
)  # fmt: skip

payload = Table(
    "payload",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)

subject = Table(
    "subject",
    metadata,
    Column("pseudonym", String(96), primary_key=True),
    Column("subject_ref", String(32), nullable=False, unique=True),
)

subject_key = Table(
    "subject_key",
    metadata,
    Column("subject_ref", String(32), primary_key=True),
    Column("key_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

chain_head = Table(
    "chain_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", Integer, nullable=False),
    Column("hash", String(80), nullable=False),
    Column("mac", String(96), nullable=False),
)

keyring = Table(
    "keyring",
    metadata,
    Column("purpose", String(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", String(96), nullable=False),
)

client_key = Table(
    "client_key",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("client", String(64), nullable=False),
    Column("secret_digest", String(80), nullable=False),
    Column("scopes", String(128), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("revoked_at", String(32)),
)
