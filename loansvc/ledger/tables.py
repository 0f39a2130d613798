"""Tables of the ledger, for queries. How they come about and change is written in migrations/.

Only `entry` is chained and never changes. Nothing in it is computed from a person's data: the
application lies sealed in `payload`, the way from an ID number to a `subject_ref` in `subject`, the
key that opens the payloads in `subject_key`; those can be destroyed and the chain still verifies.

An entry is of a kind. `decision`: the columns hold what they are called. The others carry an id of
their own in `decision_id` and leave tier and editions empty:
    outcome         what became of an approved loan: client, application, product of the decision,
                    in `outcome` the kind of fact (out_…)
    review, override, dispute
                    what people did about a decision: likewise (rev_…, ovr_…, dis_…)
    fund            the fund's capital stated: client and application empty (fund_…)
    erasure         a person's key destroyed: in `application_id` that person's reference (era_…)
    administration  what an operator did: in `outcome` the action (adm_…)
The payloads of the last three are sealed with a key of the institution, which is no person.

`checkpoint` and `tile` are signed roots and nodes of the Merkle tree over the entries; `nonce` and
`variant` are kept for minutes and for a day. `commitment`, `fund_account` and `related` are a
projection: worked out from the entries in the same transaction, so that a decision reads the fund
at once; `ledger verify` works them out anew.

`batch` and `batch_row` are no part of the record: applications that wait to be decided, sealed with
the key of their batch, and what became of each, until the batch is dropped (`batches.py`). Nor are
`endpoint`, `endpoint_secret` and `outbox`: where clients are told what happened, the secrets that
sign it, wrapped, and the messages, which hold ids alone (`endpoints.py`, `outbox.py`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()
ID = String(40).with_variant(String(64), "postgresql")  # SQLite minds no length
MOMENT = Integer().with_variant(BigInteger, "postgresql")  # milliseconds since 1970

entry = Table(
    "entry",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("decided_at", String(32), nullable=False),
    Column("client", String(64), nullable=False),
    Column("application_id", String(64), nullable=False),
    Column("decision_id", ID, nullable=False, unique=True),
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
    Index(
        "entry_outcomes", "client", "application_id", "sequence",
        sqlite_where=text("kind = 'outcome'"), postgresql_where=text("kind = 'outcome'"),
    ),
    Index(
        "entry_one_review", "client", "application_id", unique=True,
        sqlite_where=text("kind = 'review'"), postgresql_where=text("kind = 'review'"),
    ),
    Index(
        "entry_one_override", "client", "application_id", unique=True,
        sqlite_where=text("kind = 'override'"), postgresql_where=text("kind = 'override'"),
    ),
    Index(
        "entry_human", "client", "application_id", "sequence",
        sqlite_where=text("kind IN ('review', 'override', 'dispute')"),
        postgresql_where=text("kind IN ('review', 'override', 'dispute')"),
    ),
    Index(
        "entry_erasure", "application_id",
        sqlite_where=text("kind = 'erasure'"), postgresql_where=text("kind = 'erasure'"),
    ),
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

commitment = Table(
    "commitment",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("client", String(64), nullable=False),
    Column("application_id", String(64), nullable=False),
    Column("decision_id", String(40), nullable=False),
    Column("subject_ref", String(32), nullable=False, index=True),
    Column("offered_yuan", BigInteger, nullable=False),
    Column("fund_percent", Integer, nullable=False),
    Column("lapses_at", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("outstanding_yuan", BigInteger, nullable=False),
    Column("fund_yuan", BigInteger, nullable=False),
    Column("drawn_yuan", BigInteger, nullable=False),
    Column("drawn_on", String(10), nullable=False),
    Column("balance_on", String(10), nullable=False),
    Column("claims_yuan", BigInteger, nullable=False),
    Column("most_days_past_due", Integer, nullable=False),
    Column("overdue", Integer, nullable=False),
    Index("commitment_application", "client", "application_id", unique=True),
    Index("commitment_lapses", "state", "lapses_at"),
)

fund_account = Table(
    "fund_account",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("capital_yuan", BigInteger),
    Column("reserved_yuan", BigInteger, nullable=False),
    Column("drawn_yuan", BigInteger, nullable=False),
    Column("claims_yuan", BigInteger, nullable=False),
    Column("carried_yuan", BigInteger, nullable=False),
    Column("set_sequence", Integer, nullable=False),
)

related = Table(
    "related",
    metadata,
    Column("party", String(96), primary_key=True),
    Column("subject_ref", String(32), primary_key=True, index=True),
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
    Column("holder", String(64), nullable=False, server_default=""),
    Column("algorithm", String(32), nullable=False, server_default=""),
    Column("public_key", Text, nullable=False, server_default=""),
)

tile = Table(
    "tile",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("note", Text, nullable=False),
)

nonce = Table(
    "nonce",
    metadata,
    Column("key_id", String(64), primary_key=True),
    Column("nonce", String(128), primary_key=True),
    Column("expires_at", String(32), nullable=False, index=True),
)

variant = Table(
    "variant",
    metadata,
    Column("client", String(64), primary_key=True),
    Column("person", String(96), primary_key=True),
    Column("mark", String(96), primary_key=True),
    Column("at", String(32), nullable=False, index=True),
)

batch = Table(
    "batch",
    metadata,
    Column("number", MOMENT, primary_key=True, autoincrement=False),
    Column("client", String(64), nullable=False),
    Column("batch_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("received_at", String(32), nullable=False),
    Column("ended_at", String(32), nullable=False),
    Column("n_rows", Integer, nullable=False),
    Column("next_row", Integer, nullable=False),
    Column("n_approve", Integer, nullable=False),
    Column("n_refer", Integer, nullable=False),
    Column("n_decline", Integer, nullable=False),
    Column("n_refused", Integer, nullable=False),
    Column("touched", MOMENT, nullable=False),
    Column("leased_by", String(32), nullable=False),
    Column("leased_until", MOMENT, nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("batch_client", "client", "batch_id", unique=True),
    Index("batch_turn", "state", "touched"),
)

batch_row = Table(
    "batch_row",
    metadata,
    Column("number", MOMENT, primary_key=True, autoincrement=False),
    Column("row", Integer, primary_key=True, autoincrement=False),
    Column("status", Integer, nullable=False),
    Column("person", String(64), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("batch_row_person", "number", "person"),
)

endpoint = Table(
    "endpoint",
    metadata,
    Column("endpoint_id", String(16), primary_key=True),
    Column("client", String(64), nullable=False),
    Column("url", Text, nullable=False),
    Column("events", String(128), nullable=False),
    Column("added_at", String(32), nullable=False),
    Column("disabled_at", String(32), nullable=False),
    Index("endpoint_url", "client", "url", unique=True),
)

endpoint_secret = Table(
    "endpoint_secret",
    metadata,
    Column("endpoint_id", String(16), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("expires_at", String(32), nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("message_id", String(68), primary_key=True),
    Column("endpoint_id", String(16), primary_key=True),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("due", MOMENT, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("answer", String(32), nullable=False),
    Column("ended_at", String(32), nullable=False),
    Column("leased_by", String(32), nullable=False),
    Column("leased_until", MOMENT, nullable=False),
    Index("outbox_due", "endpoint_id", "state", "due"),
    Index("outbox_ended", "state", "ended_at"),
)
