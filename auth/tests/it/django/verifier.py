"""Django with SimpleJWT, as the old system runs it: it takes the tokens of auth, and auth takes its refresh tokens once.

It signs with a key of its own and verifies with auth's. The test beside it says where auth is, and who logs in.
"""

import json
import os
import urllib.error
import urllib.request

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

AUTH = os.environ["QUITTANCE_AUTH"]


def send(path, body=None, token=None, method=None):
    """Status and JSON of auth's answer."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    body = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(AUTH + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def private_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


status, key_set = send("/.well-known/jwks.json")
ours = jwt.PyJWK(key_set["keys"][0]).key
own, strange = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]
settings.configure(
    SECRET_KEY="unused, but Django wants one",
    USE_TZ=True,
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    SIMPLE_JWT={
        "ALGORITHM": "RS256",
        "SIGNING_KEY": private_pem(own),
        "VERIFYING_KEY": ours.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode(),
    },
)
import django

django.setup()
from rest_framework.test import APIRequestFactory
from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import InvalidToken, TokenBackendError, TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken


def refused(what, errors, works):
    try:
        works()
    except errors:
        return
    raise SystemExit(f"it passed: {what}")


# Auth's tokens in Django.
status, pair = send(
    "/api/token/",
    {"email": os.environ["QUITTANCE_EMAIL"], "password": os.environ["QUITTANCE_PASSWORD"]},
)
assert status == 200, pair
status, me = send("/api/users/me/", token=pair["access"])
assert status == 200, me
request = APIRequestFactory().get("/", HTTP_AUTHORIZATION="Bearer " + pair["access"])
user, token = JWTStatelessUserAuthentication().authenticate(request)
assert user.is_authenticated and str(user.id) == me["id"], (user.id, me)
assert AccessToken(pair["access"])["user_id"] == me["id"]
assert RefreshToken(pair["refresh"])["user_id"] == me["id"]
refused("a refresh token as an access token", TokenError, lambda: AccessToken(pair["refresh"]))
refused("an access token as a refresh token", TokenError, lambda: RefreshToken(pair["access"]))
head, claims, signature = pair["access"].split(".")
swapped = "A" if signature[9] != "A" else "B"
changed = ".".join([head, claims, signature[:9] + swapped + signature[10:]])
refused("a changed token", TokenError, lambda: AccessToken(changed))
request = APIRequestFactory().get("/", HTTP_AUTHORIZATION="Bearer " + changed)
refused("the same", InvalidToken, lambda: JWTStatelessUserAuthentication().authenticate(request))

# The same with the settings that fetch keys and look at issuer and audience.
issuer = jwt.decode(pair["access"], options={"verify_signature": False})["iss"]
url = AUTH + "/.well-known/jwks.json"
strict = TokenBackend("RS256", jwk_url=url, audience="quittance", issuer=issuer)
assert strict.decode(pair["access"])["user_id"] == me["id"]
for wrong in [
    TokenBackend("RS256", jwk_url=url, audience="quittance-log", issuer=issuer),
    TokenBackend("RS256", jwk_url=url, audience="quittance", issuer="https://other.example"),
]:
    refused("another audience or issuer", TokenBackendError, lambda: wrong.decode(pair["access"]))
print("Django takes the tokens of auth")


# Django's tokens at auth.
def of_django(token):
    token["user_id"] = me["id"]
    return str(token)


refresh, access = of_django(RefreshToken()), of_django(AccessToken())
forged = TokenBackend("RS256", signing_key=private_pem(strange))
forged = forged.encode({**RefreshToken().payload, "user_id": me["id"]})
for token in [refresh, access, forged]:
    assert send("/api/token/verify/", {"token": token})[0] == 401
assert send("/api/token/refresh/", {"refresh": refresh})[0] == 401, "before its key is known"
jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(own.public_key()))
public_key = {name: jwk[name] for name in ["kty", "n", "e"]}
admin = os.environ["QUITTANCE_ADMIN_TOKEN"]
status, imported = send("/api/keys/import", {"public_key": public_key}, token=admin)
assert status in (200, 201), imported
for token in [refresh, access]:
    status, answer = send("/api/token/verify/", {"token": token})
    assert (status, answer) == (200, {}), answer
assert send("/api/token/verify/", {"token": forged})[0] == 401
assert send("/api/token/refresh/", {"refresh": forged})[0] == 401
assert send("/api/users/me/", token=access)[0] == 401, "only verifiers take Django's access tokens"
status, next_pair = send("/api/token/refresh/", {"refresh": refresh})
assert status == 200, next_pair
assert str(AccessToken(next_pair["access"])["user_id"]) == me["id"]
assert send("/api/users/me/", token=next_pair["access"])[1]["id"] == me["id"]
print("auth takes the refresh tokens of Django")

print("all good")
