"""Two hundred secrets as programs have them, and ten thousand values that are none.

All are made up here, from a seed: no scanner of repositories takes offence.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

SECRETS: Final = 200
"""The corpus has so many secrets."""
ORDINARY_VALUES: Final = 10_000
"""There are so many values that are none."""

_random: Final = random.Random(20_14)


@dataclass(frozen=True)
class Secret:
    """A secret where a program has it.

    Attributes:
        core: what must be found nowhere.
        name: the name of the attribute that it is in.
        value: the attribute.
    """

    core: str
    name: str
    value: Any

    @property
    def text(self) -> str:
        """The secret as it stands in a message."""
        if isinstance(self.value, list) and "run" in self.value:
            return " ".join(self.value)
        is_by_name = self.value == self.core or isinstance(self.value, list)
        return f"{self.name}={self.value}" if is_by_name else str(self.value)


def _letters(count: int, of: str = string.ascii_letters + string.digits) -> str:
    return "".join(_random.choice(of) for _ in range(count))


def _word() -> str:
    """Return a password without any sign that it is one."""
    return _letters(12, string.ascii_lowercase)


def _base64(count: int) -> str:
    return base64.urlsafe_b64encode(_random.randbytes(count)).rstrip(b"=").decode()


def _hex(count: int) -> str:
    return _letters(count, "0123456789abcdef")


def _json_token() -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": _letters(10), "iat": 1_700_000_000})
    encoded = (
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).rstrip(b"=")
        for part in parts
    )
    return f"{b'.'.join(encoded).decode()}.{_base64(32)}"


def card_number(start: str, length: int) -> str:
    """Return a number with a right check digit."""
    digits = start + _letters(length - len(start) - 1, string.digits)
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[::-2])
    return digits + str(-(doubled + sum(map(int, digits[-2::-2]))) % 10)


_NAMES: Final = """
    password passwd db.password user_password PASSWORD userPassword password_confirmation pwd
    passphrase secret client_secret clientSecret aws.secret.access.key token access_token
    refresh-token csrfToken X-Auth-Token api_key apiKey x-api-key http.request.header.x-api-key
    http.request.header.authorization http.request.header.cookie http.response.header.set-cookie
    proxy-authorization cookie private_key db.credentials encryption_key signing-key
    storage.account_key card_number cvv session.token password2 enduser.jwt
""".split()  # noqa: SIM905


def _named() -> Iterator[Secret]:
    for name in _NAMES:
        core = _word()
        yield Secret(core, name, core)
    for name in ("password", "http.request.header.authorization", "set-cookie"):
        core = _word()
        yield Secret(core, name, [core, "second"])


def _shapes() -> Iterator[str]:
    """Yield secrets that are known by their looks."""
    alphanumeric = string.ascii_uppercase + string.digits
    yield from (f"AKIA{_letters(16, alphanumeric)}", f"ASIA{_letters(16, alphanumeric)}")
    yield from (f"gh{kind}_{_letters(36)}" for kind in "pousr")
    yield f"github_pat_{_letters(22)}_{_letters(59)}"
    yield f"glpat-{_letters(20)}"
    yield from (f"xoxb-{_letters(12, string.digits)}-{_letters(24)}", f"xoxp-{_letters(40)}")
    yield f"xapp-1-{_letters(11)}-{_hex(64)}"
    yield from (f"sk_live_{_letters(24)}", f"rk_test_{_letters(24)}", f"whsec_{_letters(32)}")
    yield from (f"sk-{_letters(48)}", f"sk-proj-{_letters(48)}", f"sk-ant-api03-{_letters(93)}")
    yield from (f"AIza{_letters(35)}", f"ya29.{_letters(60)}", f"GOCSPX-{_letters(28)}")
    yield from (f"npm_{_letters(36)}", f"pypi-{_base64(60)}", f"dckr_pat_{_letters(27)}")
    yield f"SG.{_base64(16)}.{_base64(32)}"
    yield from (f"hf_{_letters(34)}", f"dop_v1_{_hex(64)}", f"dapi{_hex(32)}")
    yield from (f"shpat_{_hex(32)}", f"hvs.{_letters(24)}", f"lin_api_{_letters(40)}")
    yield from (f"sntrys_{_base64(60)}", f"glsa_{_letters(32)}_{_hex(8)}", f"nvapi-{_base64(48)}")
    yield from (_json_token() for _ in range(6))
    yield from (card_number(*of) for of in (("4", 16), ("51", 16), ("2221", 16), ("37", 15)))
    yield from (card_number(*of) for of in (("6011", 16), ("3530", 16), ("36", 14), ("62", 16)))


_SENTENCES: Final = (
    "{}",
    "got {} from the caller",
    "cannot use {}: it was refused",
    '{{"value": "{}", "n": 1}}',
    "https://example.com/cb?x={}&y=1",
)


def _by_looks() -> Iterator[Secret]:
    for number, core in enumerate(_shapes()):
        yield Secret(core, "note", _SENTENCES[number % len(_SENTENCES)].format(core))
    for start, length, group in (("4", 16, 4), ("55", 16, 4), ("65", 16, 4), ("4", 16, 4)):
        digits = card_number(start, length)
        separator = _random.choice(" -")
        core = separator.join(digits[at : at + group] for at in range(0, length, group))
        yield Secret(core, "note", f"paid with {core}, thanks")
    for kind in ("RSA ", "EC ", "", "OPENSSH ", "ENCRYPTED "):
        lines = [_letters(64) for _ in range(6)]
        key = "\n".join(lines)
        text = f"-----BEGIN {kind}PRIVATE KEY-----\n{key}\n-----END {kind}PRIVATE KEY-----"
        yield Secret(lines[2], "config.file", text)


_IN_TEXT: Final = (
    # Addresses, and what drivers are given.
    "postgres://shop:{}@db.internal:5432/shop",
    "postgresql+psycopg://shop:{}@db/shop?sslmode=require",
    "mysql://root:{}@10.0.0.3/orders",
    "redis://:{}@cache:6379/0",
    "rediss://default:{}@cache:6380",
    "amqp://guest:{}@rabbit:5672//",
    "mongodb+srv://app:{}@cluster0.example.net/?retryWrites=true",
    "https://user:{}@example.com/path?q=1",
    "could not connect to ftp://bob:{}@files/x: timed out",
    "shop:{}@tcp(db:3306)/orders?parseTime=true",
    "host=db port=5432 user=shop password={} dbname=shop",
    "Server=db;Database=orders;User Id=sa;Password={};Encrypt=yes",
    "Server=db;Uid=sa;Pwd={};",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=core.windows.net",
    "Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey={}",
    # Queries.
    "https://api.example.com/v1/me?access_token={}&page=2",
    "/reset?token={}",
    "/login?user=bob&password={}#top",
    "https://maps.example.com/api?key=1&api_key={}",
    "https://x.blob.core.windows.net/c/b?sv=2020&sig={}",
    "https://b.s3.amazonaws.com/o?X-Amz-Algorithm=a&X-Amz-Signature={}",
    "user%5Bpassword%5D={}&commit=1",
    "user[password]={}&commit=1",
    "https://example.com/?next=https%3A%2F%2Fx%3Ftoken%3D{}",
    # What is written of objects.
    '{{"user": "bob", "password": "{}"}}',
    '{{"auth":{{"client_secret":"{}"}}}}',
    "{{'user': 'bob', 'password': '{}'}}",
    "User(name='bob', password='{}')",
    "Config(api_key='{}', debug=True)",
    'payload: {{\\"password\\": \\"{}\\"}}',
    "[('authorization', '{}'), ('host', 'x')]",
    "headers: [(b'cookie', b'{}')]",
    "KeyError: {{'token': '{}'}}",
    "<user><password>{}</password></user>",
    '<wsse:Password Type="text">{}</wsse:Password>',
    'Content-Disposition: form-data; name="password"\r\n\r\n{}\r\n--x',
    "DB_PASSWORD={}",
    "export AWS_SECRET_ACCESS_KEY='{}'",
    'password = "{}"',
    "password: {}",
    "  client_secret: '{}'",
    "spring.datasource.password={}",
    # Headers.
    "Authorization: Bearer {}9",
    "authorization: Token {}1",
    "Cookie: theme=dark; sid={}",
    "Set-Cookie: sid={}; Path=/; HttpOnly",
    "X-Api-Key: {}7",
    "Proxy-Authorization: Negotiate {}8",
    # SQL.
    "SELECT * FROM users WHERE name = 'bob' AND password = '{}'",
    "UPDATE users SET password='{}', seen=now() WHERE id=7",
    "INSERT INTO users (id, name, password) VALUES (7, 'bob', '{}')",
    "INSERT INTO `users` (`api_key`, `n`) VALUES ('{}', 1), ('x', 2)",
    "REPLACE INTO sessions (token, at) VALUES ('{}', 5)",
    "ALTER USER shop WITH PASSWORD '{}'",
    "CREATE USER shop IDENTIFIED BY '{}'",
    "CREATE USER a IDENTIFIED WITH mysql_native_password BY '{}'",
    "SET PASSWORD FOR 'bob'@'%' = '{}'",
    "SELECT 1 FROM k WHERE api_key IN ('{}', 'other')",
    "SELECT 1 FROM t WHERE token LIKE '{}%'",
    "UPDATE u SET password = crypt('{}', gen_salt('bf'))",
    "SELECT id FROM u WHERE \"password\" = '{}'",
    "AUTH {}",
    "AUTH default {}",
    # Exceptions and messages.
    "invalid password '{}' for bob",
    "ValueError: bad secret: '{}'",
    "login failed: password={} user=bob",
    "the password is {}1",
    "connect(user='bob', passwd='{}')",
    "retry with token={} in 5 s",
    # Command lines.
    "mysqldump --user root --password {} shop",
    "curl --header x --api-key={} https://example.com",
    "deploy --token '{}' --now",
)


def _in_texts() -> Iterator[Secret]:
    for text in _IN_TEXT:
        core = _word()
        yield Secret(core, "message", text.format(core))
    for scheme in ("Basic", "basic"):
        core = base64.b64encode(f"bob:{_word()}".encode()).decode()
        yield Secret(core, "note", f"sent {scheme} {core}")
    for scheme in ("Bearer", "bearer"):
        core = _letters(30) + "7"
        yield Secret(core, "note", f"sent {scheme} {core}")
    for option in ("--password", "--client-secret"):
        core = _word()
        yield Secret(core, "process.command_args", ["run", option, core])
    core = _word()
    yield Secret(core, "url.full", f"https://x/?a=1&refresh_token={core}")


def secrets() -> list[Secret]:
    """Return the corpus: the same at each call of a process."""
    return _CORPUS


def _corpus() -> list[Secret]:
    found = [*_named(), *_by_looks(), *_in_texts()]
    while len(found) < SECRETS:
        core = _word()
        found.append(Secret(core, f"{_random.choice(_NAMES)}{len(found)}", core))
    return found[:SECRETS]


_CORPUS: Final = _corpus()

_PATHS: Final = (
    "/api/v1/orders/{id}",
    "/users/{id}/tokens",
    "/static/app.{hash}.js",
    "/var/lib/app/cache/key-{number}.bin",
    "/usr/lib/python3.11/site-packages/tokenizers/models.py",
    "C:\\Users\\bob\\AppData\\Local\\{number}",
    "/auth/token",
    "/password/reset",
)
_QUERIES: Final = (
    "SELECT id, name FROM orders WHERE id = {number} AND state = 'open'",
    "SELECT u.id FROM users u JOIN tokens t ON u.token_id = t.id WHERE u.id = %s",
    "SELECT password_hash FROM users WHERE name = %s",
    "UPDATE users SET password = %s, token = $1 WHERE id = {number}",
    "SELECT * FROM a WHERE a.token = b.token AND a.api_key = ?",
    "INSERT INTO users (id, password) VALUES (?, ?)",
    "SELECT count(*) FROM secrets WHERE secret_id = {number}",
    "UPDATE t SET token = NULL, password = :password WHERE id = :id",
    "SELECT * FROM u WHERE token IS NULL OR token IS NOT NULL",
    "DELETE FROM sessions WHERE expires < '2026-01-01' AND cookie_id = {number}",
)
_MESSAGES: Final = (
    "token expired for user {number}",
    "Unexpected token: identifier at position {number}",
    "Invalid password: too short",
    "password is required",
    "the password was changed by user {number}",
    "no api key given",
    "Bearer authentication failed",
    "Basic authentication is off",
    "cookie: none",
    "authorization: denied for {uuid}",
    "retrying in {number} ms",
    "SyntaxError: unexpected token '<' in JSON at position {number}",
    "token=None password=*** secret=<hidden>",
    "password = get_password()",
    "token = request.headers['x-token']",
    "if token is None:",
    "def login(user: str, password: str, token: bytes) -> bool:",
    "password_hash = hash_password(password)",
    "secret = os.environ['APP_SECRET']",
    "order {number} was paid with card ending in 4242",
    "task-{uuid} took {number} ms",
    "max_tokens=4096 input_tokens={number} output_tokens=12",
    "GET https://example.com:8443/a/b?page={number}&sort=asc 200",
    "git clone ssh://git@github.com/acme/shop.git",
    "https://npmjs.example.com/@scope/pkg@{number}",
    "mailto:bob.{number}@example.com",
    "connected to redis://cache:6379/0",
    "at com.acme.TokenFilter.doFilter(TokenFilter.java:{number})",
)


def _ordinary(number: int) -> Any:
    """Return the value with a number."""
    draw = random.Random(number)
    digits = "".join(draw.choice(string.digits) for _ in range(20))
    of: dict[str, Any] = {
        "id": draw.randrange(1 << 40),
        "number": draw.randrange(100_000),
        "uuid": uuid.UUID(int=draw.getrandbits(128), version=4),
        "hash": hashlib.sha256(digits.encode()).hexdigest()[:12],
    }
    makers = (
        lambda: str(of["uuid"]),
        lambda: of["uuid"].hex,
        lambda: hashlib.sha256(digits.encode()).hexdigest(),
        lambda: hashlib.md5(digits.encode(), usedforsecurity=False).hexdigest(),
        lambda: f"00-{of['uuid'].hex}-{digits[:16]}-01",
        lambda: f"ORD-{2020 + number % 7}-{digits[:8]}",
        lambda: f"{2020 + number % 7}{digits[:10]}",
        lambda: digits[: 6 + number % 8],
        lambda: str(1_700_000_000_000_000_000 + draw.randrange(10**17)),
        lambda: str(1_100_000_000_000_000_000 + draw.randrange(10**17)),
        lambda: f"+49 170 {digits[:7]}",
        lambda: f"(0{digits[:3]}) {digits[3:6]}-{digits[6:10]}",
        lambda: f"+1-{draw.randrange(200, 990)}-{digits[:3]}-{digits[3:7]}",
        lambda: f"2026-0{1 + number % 9}-1{number % 10}T1{number % 10}:00:00.{digits[:6]}Z",
        lambda: f"192.168.{number % 256}.{draw.randrange(256)}:{of['number'] % 65536}",
        lambda: f"data:image/png;base64,{base64.b64encode(draw.randbytes(300)).decode()}",
        lambda: base64.b64encode(draw.randbytes(48)).decode(),
        lambda: f"user.{digits[:4]}@example.com",
        lambda: f"DE{digits[:2]} {digits[2:6]} {digits[6:10]} 00",
        lambda: f"978-3-{digits[:2]}-{digits[2:8]}-{digits[8]}",
        lambda: f"arn:aws:s3:::bucket-{of['hash']}/key/{digits[:6]}",
        lambda: f"sha256:{hashlib.sha256(digits.encode()).hexdigest()}",
        lambda: f"v{number % 9}.{number % 17}.{number % 5}-rc.{number % 3}+{of['hash']}",
        lambda: f"{draw.uniform(-90, 90):.6f},{draw.uniform(-180, 180):.6f}",
        lambda: draw.choice(_PATHS).format(**of),
        lambda: draw.choice(_QUERIES).format(**of),
        lambda: draw.choice(_MESSAGES).format(**of),
        lambda: draw.choice(_MESSAGES).format(**of),
        lambda: draw.randrange(1 << 53),
        draw.random,
        lambda: [str(of["uuid"]), digits[:12]],
        lambda: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0.0.0",
    )
    return makers[number % len(makers)]()


_ORDINARY_NAMES: Final = """
    http.request.method url.path db.query.text user.id order.id session.id session_id
    token_count gen_ai.usage.input_tokens gen_ai.request.max_tokens k8s.pod.name
    code.function.name messaging.message.id cache.key messaging.kafka.message.key
    db.collection.name thread.name server.address net.peer.port exception.type passenger.count
    author compass.heading secretary.name cookie_consent monkey keyboard.layout tokenizer
    authority auth.method
""".split()  # noqa: SIM905


_NUMBER_NAMES: Final = (
    "order.id",
    "invoice_number",
    "payment_id",
    "messaging.message.id",
    "offset",
)
"""These have numbers as long as those of cards, one in forty of which could be one."""


def ordinary_values() -> Iterator[tuple[str, Any]]:
    """Yield names and values of attributes that are no secrets."""
    for number in range(ORDINARY_VALUES):
        if number % 50 == 0:
            yield _NUMBER_NAMES[number // 50 % len(_NUMBER_NAMES)], _digits(16)
        else:
            yield _ORDINARY_NAMES[number % len(_ORDINARY_NAMES)], _ordinary(number)


def _digits(count: int) -> str:
    return _letters(count, string.digits)
