"""Makes questions from a policy: who asks for what, with names of the policy and with odd ones."""

import re

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ODD_METHODS = ["get", "TRACE", "CONNECT", "MERGE", "PROPFIND", "", "G ET", "GET\x00"[:3] + "S"]
VALUES = {
    "tenant": ["t1", "t1", "t1", "t2", "t9"],
    "workspace": ["w1", "w1", "w2", "w9"],
    "pacs": ["p7", "p7", "p8", "p9", "p1"],
    "role": ["Reception", "TenantRegistrator", "r1"],
    "study": ["1.2.840.1", "s1"],
    "frames": ["1", "1,2"],
}
ODD_VALUES = ["%41", "a%2Fb", "..", ".", "a;b", "%00", "a.json", "", "%e4", "%C3%A4", "a b", "x" * 300, "~1", "a%252Fb"]
ODD_TARGETS = [
    "/",
    "",
    "*",
    "x",
    "//",
    "/..",
    "/%2e%2e/",
    "http://h/",
    "http://api.example/t1/api/Patients",
    "/?a=%zz",
    "/t1/api/Patients?_method=DELETE",
    "/t1/api/Patients/p1#x",
    "/t1/api/patients/P1/",
    "/\u00e4",
    "/%ff",
    "/a\\b",
]


def filled(template, rng, odd=0.0):
    """A path that the template matches, or nearly."""

    def value(found):
        name = found[1].lstrip("*")
        if rng.random() < odd:
            return rng.choice(ODD_VALUES)
        if found[1].startswith("*"):
            return "/".join(rng.choice(["a", "b", "c1"]) for _ in range(rng.randint(1, 3)))
        return rng.choice(VALUES.get(name, [name[0] + "1", name[0] + "2"]))

    return re.sub(r"\{([^}]*)\}", value, template)


def request(policy, rng):
    """A method and a target of a policy."""
    method, template, parameter = rng.choice(policy.routes)
    target = filled(template, rng, 0.05)
    if parameter and rng.random() < 0.7:
        target += f"?{parameter}={rng.choice(VALUES.get(parameter, ['x1']))}"
    if rng.random() < 0.15:
        method = rng.choice(METHODS)
    return (rng.choice(ODD_METHODS), target) if rng.random() < 0.02 else (method, target)


def question(policy, rng):
    """A caller, a method, a target and a media type: of a case, or put together."""
    roll = rng.random()
    if policy.cases and roll < 0.45:
        name, method, target, media = rng.choice(policy.cases)
        return policy.callers.get(name), method, target, media
    caller = stated(policy, rng)
    if roll > 0.95:
        return caller, "GET", rng.choice(ODD_TARGETS), None
    return caller, *request(policy, rng), None


def stated(policy, rng):
    """A caller: one of the cases, or one with roles, groups and permissions of the policy; None for nobody."""
    roll = rng.random()
    if roll < 0.05:
        return None
    if policy.callers and roll < 0.6:
        return rng.choice(list(policy.callers.values()))
    caller = {"id": rng.choice([*policy.names["users"], "u1", "u2", "other/u1"])}
    for key in ("roles", "groups", "permissions"):
        names = policy.names[key]
        if names and rng.random() < 0.5:
            chosen = [rng.choice(names) for _ in range(rng.choice([1, 1, 2, 3]))]
            caller[key] = chosen + (["unknown"] if rng.random() < 0.1 else [])
    if rng.random() < 0.4:
        caller["client"] = rng.choice(["app-1", "app-9", "backup-1"])
    if rng.random() < 0.5:
        caller["tenants"] = [rng.choice(["t1", "t2"])]
    if rng.random() < 0.1:
        caller["kind"] = rng.choice(["user", "service", "anonymous"])
    if rng.random() < 0.1:
        caller["approved"] = ["app-connection"]
    return caller
