"""Gets tokens from Quittance with a secret and with a key of its own, and verifies them with PyJWT.

    pip install -r requirements.txt
    QUITTANCE_AUTH=http://127.0.0.1:8081 QUITTANCE_CLIENT_ID=… QUITTANCE_CLIENT_SECRET=… python verify_token.py

With QUITTANCE_ADMIN_TOKEN, the access token of an administrator, it also registers a key and uses it (private_key_jwt).
"""

import base64
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

AUTH = os.environ["QUITTANCE_AUTH"]
CLIENT_ID = os.environ["QUITTANCE_CLIENT_ID"]
SECRET = os.environ["QUITTANCE_CLIENT_SECRET"]


def send(path, body=None, headers=None):
    """The JSON that auth answers."""
    request = urllib.request.Request(AUTH + path, body, headers or {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def token(form, headers=None):
    form = urllib.parse.urlencode({"grant_type": "client_credentials", **form})
    return send("/oauth2/token", form.encode(), headers)["access_token"]


def verify(text, audience):
    """What a service of yours does with a token. PyJWT fetches the keys once and remembers them."""
    key = keys.get_signing_key_from_jwt(text).key
    return jwt.decode(
        text,
        key,
        algorithms=["RS256"],
        audience=audience,
        issuer=metadata["issuer"],
        options={"require": ["exp", "iat", "sub", "aud", "jti", "client_id"]},
    )


metadata = send("/.well-known/oauth-authorization-server")
# Behind the gateway this is metadata["jwks_uri"].
keys = jwt.PyJWKClient(AUTH + "/.well-known/jwks.json")

# A secret in the body, and in the header.
in_body = token({"client_id": CLIENT_ID, "client_secret": SECRET})
pair = base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
in_header = token({"audience": "quittance-log"}, {"Authorization": f"Basic {pair}"})
for text, audience in [(in_body, "quittance"), (in_header, "quittance-log")]:
    claims = verify(text, audience)
    assert claims["client_id"] == claims["sub"] == claims["user_id"] == CLIENT_ID, claims
    assert claims["exp"] - claims["iat"] == 300, claims
    assert jwt.get_unverified_header(text)["typ"] == "at+jwt"
try:
    verify(in_header, "quittance")
    raise SystemExit("a token for messages passed over HTTP")
except jwt.InvalidAudienceError:
    print("a token for messages does not pass over HTTP")

# The rules of the Django verifier before this: RS256, no leeway, and an audience that nobody asked for.
key = keys.get_signing_key_from_jwt(in_body).key
claims = jwt.decode(in_body, key, algorithms=["RS256"], leeway=0, options={"verify_aud": False})
assert claims["token_type"] == "access" and claims["user_id"] == CLIENT_ID, claims
print("the token of a secret is good")

admin = os.environ.get("QUITTANCE_ADMIN_TOKEN")
if admin:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    send(
        f"/api/service-accounts/{CLIENT_ID}/credentials/",
        json.dumps({"public_key": pem.decode()}).encode(),
        {"Authorization": f"Bearer {admin}", "Content-Type": "application/json"},
    )

    def assertion(algorithm="RS256", signed_with=private, **more):
        now = int(time.time())
        claims = {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": metadata["token_endpoint"]}
        claims |= {"iat": now, "exp": now + 60, "jti": str(uuid.uuid4()), **more}
        return {
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": jwt.encode(claims, signed_with, algorithm=algorithm),
        }

    good = assertion()
    assert verify(token(good), "quittance")["client_id"] == CLIENT_ID
    for what, form in [
        ("a second time", good),
        ("HS256", assertion("HS256", "a shared secret of more than thirty-two bytes")),
        ("PS256", assertion("PS256")),
        ("for somebody else", assertion(aud="https://other.example")),
        ("expired", assertion(exp=int(time.time()) - 1)),
    ]:
        try:
            token(form)
            raise SystemExit(f"an assertion passed: {what}")
        except urllib.error.HTTPError as error:
            assert error.code == 401 and json.load(error)["error"] == "invalid_client", what
    print("the token of a key is good")

print("all good")
