"""Makes the requests of a live comparison: every route, every case, and seeded variations of all that a request has."""

import base64
import random

import documents
import origin
import samples
import stage as scenery
import sweeps
from questions import filled
from variations import METHODS, VARIATIONS, Draft
from wire import Request

HOSTS = {
    "noah-es": "noah",
    "hid-integration-service": "hid",
    "proknow": "proknow",
    "carestream": "carestream",
    "pathology": "pathology",
    "orthanc": "orthanc",
    "probe": "probe",
}
MISSING = """
    /nothing/x1 /prices/4711 /t1/api/Nothing /api/none/5f2c /x/2026-01-01/y / /a/b/c/d/e/f /favicon.ico
    /t1/api/Patients/p1/more/and/more
""".split()


class Traffic:
    """A seeded sequence of requests."""

    def __init__(self, policies, stage, seed):
        self.rng = random.Random(f"traffic {seed}")
        self.stage = stage
        probe = small_policy("probe")
        self.policies = {HOSTS[policy.name]: policy for policy in [*policies, probe]}
        self.tokens = {}
        for (policy, name), token in stage.tokens.items():
            self.tokens.setdefault(HOSTS[policy], {})[name] = token
        self.dialect = small_policy("dialect")

    def all(self, number):
        """So many requests in one shuffled order.

        What is fixed, routes and cases, and sweeps have a share each; variations are the rest.
        """
        fixed = [*samples.connections(self.stage), *samples.framing_samples()]
        plain = [self.of_route(api, policy, route) for api, policy in self.policies.items() for route in policy.routes]
        plain += [self.of_case(api, policy, case) for api, policy in self.policies.items() for case in policy.cases]
        made = []
        for part, share in ((fixed, 0.15), (plain, 0.22), (sweeps.all_of(self.stage), 0.55)):
            self.rng.shuffle(part)
            made += part[: max(1, int(number * share))]
        while len(made) < number:
            made.append(self.varied())
        self.rng.shuffle(made)
        return made[:number]

    # ── Plain requests ────────────────────────────────────────────────────────────────────────────────────────

    def of_route(self, api, policy, route):
        """A request to a route, by a caller of its policy."""
        method, template, parameter = route
        target = filled(template, self.rng)
        if parameter and self.rng.random() < 0.6:
            target += f"?{parameter}={self.rng.choice(['w1', 'w2'])}"
        draft = Draft(self.twin(api), method, target)
        draft.label.append("route")
        self.identify(draft, api)
        self.fill_body(draft)
        self.choose_answer(draft, 0.1)
        return draft.request()

    def of_case(self, api, policy, case):
        """The request of a case, by its caller."""
        name, method, target, media = case
        draft = Draft(api, method, target)
        draft.label.append(f"case of {name}")
        token = self.tokens.get(api, {}).get(name)
        if token:
            draft.credential.append(f"Authorization: Bearer {token}")
        kinds = {"image/png": "png", "image/tiff": "png", "application/pdf": "pdf", "text/csv": "html"}
        if media:
            draft.lines.append(f"X-Answer: {kinds.get(media, 'json')}")
        self.fill_body(draft)
        return draft.request()

    def twin(self, api):
        """The API, or another one with the same routes."""
        twins = {
            "orthanc": ["orthanc", "orthanc", "down"],
            "probe": ["probe", "probe", "probe", "halfshadow", "plainonly", "broken"],
        }
        return self.rng.choice(twins.get(api, [api]))

    def identify(self, draft, api):
        """Adds a good credential of the API's callers, mostly."""
        tokens = self.tokens.get(api) or self.tokens["probe"]
        roll = self.rng.random()
        if roll < 0.85:
            name = self.rng.choice(list(tokens))
            draft.credential.append(f"Authorization: Bearer {tokens[name]}")
            draft.label.append(name)
        elif roll < 0.93:
            self.credential(draft)

    def credential(self, draft):
        """Adds another credential: a wrong token, an API key, two at once, or something that is none."""
        name, token = self.rng.choice(list(self.stage.bad.items()))
        key, secret = self.rng.choice(list(self.stage.api_keys.items()))
        good = self.rng.choice(list(self.rng.choice(list(self.tokens.values())).values()))
        basic = base64.b64encode(secret.encode()).decode()
        chosen, lines = self.rng.choice(
            [
                (f"token {name}", [f"Authorization: Bearer {token}"]),
                (f"token {name}", [f"Authorization: Bearer {token}"]),
                (f"token {name}", [f"authorization: bearer {token}"]),
                (f"key {key}", [f"X-Api-Key: {secret}"]),
                (f"key {key}", [f"X-Api-Key: {secret}"]),
                (f"basic {key}", [f"Authorization: Basic {basic}"]),
                ("wrong key", [f"X-Api-Key: {secret[:-3]}AAA"]),
                ("unknown key", ["X-Api-Key: nobody:" + "A" * 43]),
                ("odd key", ["X-Api-Key: nothing"]),
                ("wrong basic", ["Authorization: Basic " + base64.b64encode(f"{key}:x".encode()).decode()]),
                ("odd basic", ["Authorization: Basic %%%"]),
                ("token and key", [f"Authorization: Bearer {good}", f"X-Api-Key: {secret}"]),
                ("two tokens", [f"Authorization: Bearer {good}"] * 2),
                ("two keys", [f"X-Api-Key: {secret}"] * 2),
                ("a list of tokens", [f"Authorization: Bearer {good}, Bearer {good}"]),
                ("no token", ["Authorization: Bearer"]),
                ("empty", ["Authorization:"]),
                ("digest", ["Authorization: Digest x=y"]),
                ("folded name", [f"X_Api_Key: {secret}"]),
                ("another's token", [f"Authorization: Bearer {good}"]),
                ("in the query", []),
                ("nothing", []),
            ]
        )
        if chosen == "in the query":
            draft.target += ("&" if "?" in draft.target else "?") + f"access_token={good}"
        draft.label.append(chosen)
        draft.credential.extend(lines)

    def choose_answer(self, draft, chance):
        """Lets the upstream answer in another way."""
        if self.rng.random() < chance:
            # What ends a connection upstream is left to GET, which the gateway may try again elsewhere.
            ending = origin.ENDING - {"silent"} if draft.method == "GET" else set()
            names = [name for name in origin.ANSWERS if name not in origin.ENDING or name in ending]
            name = self.rng.choice(names)
            draft.lines.append(f"X-Answer: {name}")
            draft.label.append(f"answer {name}")

    def fill_body(self, draft, odd=0.0):
        """Adds a body to methods that have one."""
        if draft.method not in ("POST", "PUT", "PATCH") and self.rng.random() > 0.02:
            return
        odd_names = ["_method", "x-http-method-override", "[_method]", "_METHOD", " _method"]
        field = self.rng.choice(odd_names) if self.rng.random() < odd else "name"
        part = f'--b\r\nContent-Disposition: form-data; name="{field}"\r\n\r\nDELETE\r\n--b--\r\n'
        kind, media, body = self.rng.choice(
            [
                ("json", "application/json", f'{{"{field}": "DELETE", "more": [1, {{"x": null}}]}}'),
                ("json", "application/problem+json; charset=utf-8", "{}"),
                ("form", "application/x-www-form-urlencoded", f"a=1&{field}=DELETE&b=%20"),
                ("form", "application/x-www-form-urlencoded; charset=utf-16", "a=1"),
                ("multipart", "multipart/form-data; boundary=b", part),
                ("multipart", "multipart/related; boundary=b", part),
                ("text", "text/plain", f"{field}=DELETE"),
                ("untyped", None, f"{field}=DELETE"),
                ("empty", "text/plain", ""),
                ("binary", "application/dicom", "\x00\x01" * 200),
                ("large", "text/plain", "x" * 3000),
            ]
        )
        if media:
            draft.lines.append(f"Content-Type: {media}")
        draft.body = body.encode("latin-1")
        draft.label.append(f"{kind} body{'' if field == 'name' else ' ' + field}")
        if self.rng.random() < 0.15 and draft.body:
            middle = self.rng.randrange(1, len(draft.body) + 1)
            draft.lines.append("Transfer-Encoding: chunked")
            pieces = [piece for piece in (draft.body[:middle], draft.body[middle:]) if piece]
            draft.body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"

    # ── Variations ────────────────────────────────────────────────────────────────────────────────────────────

    def varied(self):
        """A request with several variations at once."""
        api = self.rng.choice([*self.policies, *self.policies, *["probe"] * 4, *scenery.DIALECTS])
        policy = self.policies.get(api, self.dialect)
        roll = self.rng.random()
        if roll < 0.06:
            method, target = self.rng.choice(METHODS), self.rng.choice(MISSING)
        elif policy.cases and roll < 0.3:
            _, method, target, _ = self.rng.choice(policy.cases)
        else:
            method, template, parameter = self.rng.choice(policy.routes)
            target = filled(template, self.rng, 0.06)
            target += f"?{parameter}=w1" if parameter and self.rng.random() < 0.5 else ""
        draft = Draft(self.twin(api), method, target or "/")
        if self.rng.random() < 0.75:
            self.identify(draft, api)
        else:
            self.credential(draft)
        self.fill_body(draft, odd=0.25)
        for variation, chance in VARIATIONS:
            if self.rng.random() < chance:
                draft.label.append(variation.__name__)
                variation(draft, self.rng, list(self.tokens["probe"].values()))
        self.choose_answer(draft, 0.25)
        if self.rng.random() < 0.02 and not draft.body:
            return self.several(draft)
        return draft.request()

    def several(self, draft):
        """Two or three requests at once on one connection."""
        first = draft.request()
        others = [
            Draft(draft.api, "GET", self.rng.choice(["/open", "/t1/things", "/nothing"]))
            for _ in range(self.rng.choice([1, 2]))
        ]
        more = [other.request() for other in others]
        return Request(
            b"".join(one.data for one in [first, *more]),
            first.label + " and more at once",
            methods=(draft.method, *["GET"] * len(more)),
            fresh=True,
            source=first.source,
        )


def small_policy(name):
    """A policy of the stage, with what requests are made from."""
    file = scenery.FILES / f"{name}.yaml"
    return documents.Policy(str(file), file.read_text(), routes=documents.routes(documents.read(file)))
