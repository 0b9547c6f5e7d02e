"""Makes the commands to run: from the policies, their cases, and small changes of both."""

import json
import pathlib
import random
import re
import shutil

import documents
from changes import DAMAGES, chain, damaged, mutated
from commands import Command
from questions import ODD_METHODS, ODD_TARGETS, VALUES, filled, question


class Plan:
    """The commands of one comparison; `size` is how many of each sampled sort."""

    def __init__(self, policies, folders, stage, rng, size):
        self.policies, self.folders, self.stage, self.rng, self.size = policies, folders, stage, rng, size
        self.commands = []
        # A small comparison takes samples where a large one takes everything.
        self.is_large = size >= 100

    def add(self, *args, output="text", **more):
        """Adds a command."""
        self.commands.append(Command([str(arg) for arg in args], output, **more))

    def both(self, *args, text="text"):
        """Adds a command that knows JSON, as JSON and as text."""
        self.add(*args, "--format", "json", output="json")
        self.add(*args, "--format", text)

    def write(self, name, data):
        """Writes a file into each working folder."""
        for folder in self.folders:
            file = pathlib.Path(folder, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data if isinstance(data, bytes) else data.encode())

    def all(self):
        """All commands."""
        for part in (
            self.usage,
            self.schemas,
            self.checks,
            self.refused,
            self.settings,
            self.cases,
            self.matrices,
            self.explanations,
            self.holders,
            self.replays,
            self.diffs,
            self.mutants,
            self.imports,
            self.keys,
            self.audits,
        ):
            part()
        return self.commands

    def usage(self):
        """Help and wrong usage."""
        for args in (
            [],
            ["--help"],
            ["--version"],
            ["-h"],
            ["help"],
            ["nothing"],
            ["check"],
            ["check", "--format", "xml"],
            ["test"],
            ["diff", "x"],
            ["explain"],
            ["serve"],
            ["decide", "policies/orthanc.yaml"],
            ["check", "no-such.yaml"],
            ["check", "--config", "no-such.yaml"],
            ["check", "policies"],
            ["serve", "--config", "no-such.yaml"],
            ["key"],
            ["import"],
            ["audit"],
            ["audit", "verify", "none.jsonl"],
        ):
            self.add(*args)
        for command in (
            "serve",
            "check",
            "test",
            "explain",
            "who-can",
            "matrix",
            "decide",
            "import",
            "key",
            "audit",
            "diff",
            "demo",
            "schema",
            "completions",
        ):
            self.add(command, "--help")
            self.add("help", command)
        for args in ("import openapi", "import matrix", "key create", "key revoke", "key list", "audit verify"):
            self.add(*args.split(), "--help")

    def schemas(self):
        """JSON Schemas, and completions, which hold prose for all shells but bash."""
        for name in ("policy", "cases", "gateway", "nothing"):
            self.add("schema", name, output="schema")
        for shell in ("bash", "zsh", "fish", "elvish", "powershell", "nothing"):
            self.add("completions", shell, output="exact" if shell == "bash" else "text")

    def checks(self):
        """`check` of all policies, alone, together, and against each other."""
        paths = [policy.path for policy in self.policies]
        for path in paths:
            self.both("check", path)
        self.both("check", *paths)
        for old in paths:
            for new in paths if self.is_large else paths[:2]:
                self.add("check", new, "--against", old, "--format", "json", output="json")
        self.add("check", *paths, "--against", paths[0])
        for folder, files in (("joined", ["routes.yaml", "table.yaml"]), ("doubled", ["a.yaml", "b.yaml"])):
            text = self.policies[0].text
            cut = text.index("\npermissions:")
            parts = (text[:cut], text[cut:]) if folder == "joined" else (text, text)
            for name, part in zip(files, parts):
                self.write(f"{folder}/{name}", part)
            self.both("check", folder)

    def refused(self):
        """`check` of the policies that do not load."""
        for at, file in enumerate(sorted(pathlib.Path(self.folders[0], "tests/data/refused").glob("*.yaml"))):
            self.add("check", file.relative_to(self.folders[0]), "--format", "json", output="json")
            if self.is_large or at % 4 == 0:
                self.add("check", file.relative_to(self.folders[0]))

    def settings(self):
        """`check --config` and `serve` of settings that are good, and of changed ones."""
        for file in ("config/gateway.yaml", "config/demo.yaml", "config/orthanc.yaml", self.stage.config):
            self.both("check", "--config", file)
        texts = [self.stage.config.read_text(), pathlib.Path(self.folders[0], "config/gateway.yaml").read_text()]
        for at in range(self.size // 6):
            changed = mutated(texts[at % 2], self.rng)
            name = (
                f"{pathlib.Path(self.stage.config).parent}/changed-{at}.yaml"
                if at % 2 == 0
                else f"config/changed-{at}.yaml"
            )
            self.write(name, changed)
            self.add("check", "--config", name, "--format", "json", output="json")
            if at % 5 == 1:
                self.add("check", "--config", name)
        self.write("config/broken.yaml", "version: 1\nlisteners: []\n")
        self.add("serve", "--config", "config/broken.yaml")

    def cases(self):
        """`test` in all formats, with cases that pass and cases of another policy, which fail."""
        for policy in self.policies:
            for more in ([], ["--coverage"]):
                self.add("test", policy.path, *more, output="text")
                self.add("test", policy.path, *more, "--format", "json", output="json")
                self.add("test", policy.path, *more, "--format", "junit", output="junit")
            for only in ("nurse", "not-granted", "admin", "nothing at all") if self.is_large else ("admin",):
                self.add("test", policy.path, "--only", only, "--format", "json", output="json")
        self.add("test", *(policy.path for policy in self.policies), "--format", "json", output="json")
        for policy in self.policies:
            for other in self.policies:
                if other.cases and other is not policy and (self.is_large or other is self.policies[0]):
                    cases = other.path.replace(".yaml", ".cases.yaml")
                    self.add("test", policy.path, "--cases", cases, "--format", "json", output="json")
                    self.add("test", policy.path, "--cases", cases, "--format", "junit", output="junit")

    def matrices(self):
        """`matrix` in all formats and of all whom it can be asked about."""
        for policy in self.policies:
            for form, output in (
                ("text", "text"),
                ("table", "text"),
                ("html", "text"),
                ("csv", "exact"),
                ("json", "json"),
            ):
                self.add("matrix", policy.path, "--format", form, output=output)
            for table in [*policy.names["tables"], "none"]:
                self.add("matrix", policy.path, "--table", table, "--format", "csv", output="exact")
            scopes = [["--scope", f"{name}={VALUES.get(name, ['x'])[0]}"] for name in policy.names["scopes"]]
            everywhere = [arg for scope in scopes for arg in scope]
            for key, option in (
                ("roles", "--role"),
                ("groups", "--group"),
                ("users", "--user"),
                ("permissions", "--permission"),
            ):
                names = policy.names[key]
                for name in [*self.rng.sample(names, min(len(names), self.size // 6)), "Unknown"]:
                    self.add("matrix", policy.path, option, name, *everywhere, "--format", "json", output="json")
                    if self.is_large or name == "Unknown":
                        self.add("matrix", policy.path, option, name, "--format", "csv", output="exact")
            for caller in list(policy.callers.values())[: self.size // 6]:
                self.add(
                    "matrix", policy.path, "--as", json.dumps(caller), *everywhere, "--format", "json", output="json"
                )

    def explanations(self):
        """`explain` of cases and of questions put together."""
        for _ in range(self.size * 2):
            policy = self.rng.choice(self.policies)
            caller, method, target, media = question(policy, self.rng)
            args = ["explain", policy.path, *(["--as", json.dumps(caller)] if caller is not None else [])]
            args += ["--answered-as", media] if media else []
            args += ["--host", self.rng.choice(["api.example", "other", "a b"])] if self.rng.random() < 0.05 else []
            args += ["--", method, target]
            self.add(*args[:2], "--format", "json", *args[2:], output="json")
            if self.rng.random() < 0.3:
                self.add(*args)
        for wrong in ("{", "[]", '{"id": 1}', '{"unknown": 1}', "@none.json", '{"kind": "robot"}', '{"roles": [1]}'):
            self.add("explain", self.policies[0].path, "--as", wrong, "GET", "/")

    def holders(self):
        """`who-can` of every route, or of a sample."""
        everything = [
            (policy, method, template, parameter)
            for policy in self.policies
            for method, template, parameter in policy.routes
        ]
        chosen = everything if self.is_large else self.rng.sample(everything, self.size)
        for policy, method, template, parameter in chosen:
            target = filled(template, self.rng) + (f"?{parameter}=w1" if parameter and self.rng.random() < 0.5 else "")
            self.add("who-can", policy.path, method, target, "--format", "json", output="json")
            if self.rng.random() < 0.2:
                self.add("who-can", policy.path, method, target)
        for method, target in [("GET", target) for target in ODD_TARGETS] + [
            (method, "/a") for method in ODD_METHODS if method
        ]:
            self.add("who-can", self.policies[0].path, "--format", "json", "--", method, target, output="json")

    def replays(self):
        """`decide` of many requests, some of which cannot be read."""
        for policy in self.policies:
            lines = []
            for at in range(self.size * 10):
                caller, method, target, _ = question(policy, self.rng)
                line = {"id": self.rng.choice([at, str(at), None, {"n": at}]), "method": method, "path": target}
                if caller is not None:
                    line["as"] = caller
                written = json.dumps(line, ensure_ascii=self.rng.random() < 0.5)
                lines.append(damaged(written, self.rng) if self.rng.random() < 0.02 else written)
            data = "\n".join(lines).encode("utf-8", "replace")
            self.write(f"recorded/{policy.name}.jsonl", data)
            self.add("decide", policy.path, "--requests", f"recorded/{policy.name}.jsonl", output="lines")
            self.add("decide", policy.path, "--requests", "-", output="lines", stdin=data[:20000])
        self.add("decide", policy.path, "--requests", "none.jsonl", output="lines")

    def diffs(self):
        """`diff` of every pair of policies; of a small comparison in one direction only."""
        for at, old in enumerate(self.policies):
            for other, new in enumerate(self.policies):
                if self.is_large or other >= at:
                    first, second = (old, new) if (at + other) % 2 else (new, old)
                    self.add("diff", first.path, second.path, "--format", "json", output="json")
        for old, new in zip(self.policies, self.policies[1:]):
            self.add("diff", old.path, new.path)
        old, new = self.policies[-2:]
        for args in (["--quiet"], ["--only", "gained"], ["--only", "lost", "--format", "json"], ["--only", "none"]):
            self.add("diff", old.path, new.path, *args, output="json" if "json" in args else "text")

    def mutants(self):
        """Policies with small changes: `check`, `test` with the cases of the original, and `diff` from the original."""
        for policy in self.policies:
            for at in range(max(5, self.size // 8)):
                name = f"changed/{policy.name}-{at}.yaml"
                text = policy.text
                for _ in range(self.rng.choice([1, 1, 1, 2, 3])):
                    text = mutated(text, self.rng)
                self.write(name, text)
                self.both("check", name, "--against", policy.path)
                self.both("diff", policy.path, name)
                if policy.cases:
                    cases = policy.path.replace(".yaml", ".cases.yaml")
                    self.add("test", name, "--cases", cases, "--format", "json", output="json")
                    changed = f"changed/{policy.name}-{at}-of.cases.yaml"
                    self.write(changed, mutated(pathlib.Path(self.folders[0], cases).read_text(), self.rng))
                    self.add("test", policy.path, "--cases", changed, "--format", "json", output="json")
                    self.add("test", policy.path, "--cases", changed, "--format", "junit", output="junit")

    def imports(self):
        """`import` of the tables and the OpenAPI document, with their options, and of what is neither."""
        data, tables = "tests/data/import/", sorted(pathlib.Path(self.folders[0], "tests/data").glob("*.csv"))
        tables = [str(table.relative_to(self.folders[0])) for table in tables]
        matrix, roles, document = data + "clinic-matrix.csv", data + "clinic-roles.csv", data + "clinic-openapi.yaml"
        for args in (
            [matrix],
            [matrix, roles],
            [matrix, roles, "--name", "clinic"],
            [matrix, "--table", "T"],
            *([one] for one in tables),
            tables[:3],
            [document],
            ["none.csv"],
            ["policies"],
            [matrix, matrix],
        ):
            self.add("import", "matrix", *args, output="yaml")
        for args in (
            [document],
            [document, "--base", "/"],
            [document, "--base", "x"],
            [document, "--scope", "patientId"],
            [document, "--tag", "Notes"],
            [document, "--name", "other"],
            [document, "--resources-elsewhere"],
            [matrix],
            ["policies/orthanc.yaml"],
            ["none.yaml"],
        ):
            self.add("import", "openapi", *args, output="yaml")
        out = ["--out", "imported.yaml"]
        self.commands.append(
            [
                Command(["import", "openapi", document, *more], "yaml", writes="imported.yaml")
                for more in (out, out, [*out, "--force"], [*out, "--force", "--tag", "Notes"])
            ]
        )
        for at in range(self.size // 10):
            changed = mutated(
                pathlib.Path(self.folders[0], self.rng.choice([matrix, document, *tables])).read_text(), self.rng
            )
            self.write(f"changed/import-{at}", changed)
            self.add("import", self.rng.choice(["matrix", "openapi"]), f"changed/import-{at}", output="yaml")

    def keys(self):
        """`key create`, `list` and `revoke` on one file, one after the other."""
        file = ["--file", "keys.yaml"]
        runs = [
            ["create", "--id", "lab", "--role", "Doctor"],
            ["create", "--id", "lab"],
            ["create", "--id", "a b"],
            [
                "create",
                "--id",
                "sync",
                "--kind",
                "service",
                "--tenant",
                "t1",
                "--tenant",
                "t2",
                "--group",
                "G",
                "--permission",
                "P",
                "--client",
                "c",
                "--comment",
                '# odd: "text"',
                "--expires",
                "never",
            ],
            ["create", "--id", "old", "--expires", "2020-01-01T00:00:00Z"],
            ["create", "--id", "short", "--expires", "12h"],
            ["create", "--id", "at", "--expires", "2090-01-31T12:00:00Z"],
            ["list"],
            ["revoke", "--id", "lab"],
            ["revoke", "--id", "lab"],
            ["revoke", "--id", "none"],
            ["list"],
        ]
        self.commands.append([Command(["key", run[0], *file, *run[1:]], "key", writes="keys.yaml") for run in runs])
        self.write("odd-keys.yaml", "version: 1\nkeys:\n  lab: { digest: x }\n")
        file, runs = ["--file", "odd-keys.yaml"], [["list"], ["revoke", "--id", "lab"], ["create", "--id", "z"]]
        self.commands.append([Command(["key", run[0], *file, *run[1:]], "key") for run in runs])

    def audits(self):
        """`audit verify` of chains that are sound, and of damaged ones."""
        lines = chain(self.rng, 40)
        for name, damage in DAMAGES.items():
            self.write(f"audits/{name}/audit.jsonl", b"".join(damage(list(lines))))
            self.both("audit", "verify", f"audits/{name}")
        last = re.search(rb'"chain":"(\w+)"', lines[20])[1].decode()
        for args in (["--list"], ["--expect", last], ["--expect", "0" * 64], ["--since", last], ["--since", "x"]):
            self.both("audit", "verify", *args, "audits/sound")


def workspace(root, folder):
    """Copies into `folder` what commands read."""
    for part in ("policies", "config", "tests/data"):
        shutil.copytree(pathlib.Path(root, part), pathlib.Path(folder, part))


def policies_of(root):
    """All policies of the repository."""
    paths = sorted(pathlib.Path(root, "policies").glob("*.yaml"))
    return [documents.policy(root, str(path.relative_to(root))) for path in paths if ".cases." not in path.name]


def make(policies, folders, stage, seed, requests):
    """The commands of a comparison with this seed and about this size."""
    rng = random.Random(f"commands {seed}")
    return Plan(policies, folders, stage, rng, max(20, min(400, requests // 10))).all()
