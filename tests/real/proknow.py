"""One user of ProKnow's own SDK: reads a call per line of JSON, `["patient", "w1", "p1"]`, and prints a result per line.

`proknow.py URL` uses the API key whose id and secret are in the variables KEY_ID and KEY_SECRET. All calls use one
session. The result of a call is under `given`; the SDK's error is under `error`, with its status and body.
"""

import json
import os
import sys
import tempfile

# This file has the package's name: the script's folder must not come first in the path.
sys.path.pop(0)
from proknow import ProKnow
from proknow.Exceptions import HttpError


def session(pk):
    return pk.session.get()["name"]


def workspaces(pk):
    return [workspace.name for workspace in pk.workspaces.query()]


def lookup(pk, workspace, mrn):
    return [patient.name for patient in pk.patients.lookup(workspace, [mrn])]


def search(pk, workspace):
    return [patient.name for patient in pk.patients.query(workspace)]


def patient(pk, workspace_id, patient_id):
    found = pk.patients.get(workspace_id, patient_id)
    return [found.mrn, found.name]


def admit(pk, workspace, mrn, name):
    return pk.patients.create(workspace, mrn, name).name


def rename(pk, workspace_id, patient_id, name):
    found = pk.patients.get(workspace_id, patient_id)
    found.name = name
    found.save()
    return found.name


def discharge(pk, workspace_id, patient_id):
    return pk.patients.delete(workspace_id, patient_id)


def entity(pk, workspace_id, patient_id, kind):
    return pk.patients.get(workspace_id, patient_id).find_entities(type=kind)[0].get()


def describe(pk, *place):
    return entity(pk, *place).description


def download(pk, *place):
    with tempfile.TemporaryDirectory() as folder, open(entity(pk, *place).download(folder), "rb") as file:
        return file.read().decode()


def analyse(pk, workspace_id, patient_id):
    return entity(pk, workspace_id, patient_id, "dose").get_analysis()


def contour(pk, workspace_id, patient_id, name):
    draft = entity(pk, workspace_id, patient_id, "structure_set").draft()
    drawn = draft.create_roi(name, [255, 0, 0], "ORGAN").name
    draft.release_lock()
    return drawn


def collections(pk, *workspace):
    return [collection.name for collection in pk.collections.query(*workspace)]


def members(pk, collection_id):
    return [member.id for member in pk.collections.get(collection_id).patients.query()]


def scorecards(pk, collection_id):
    return [scorecard.name for scorecard in pk.collections.get(collection_id).scorecards.query()]


def collect(pk, workspace, collection_id, patient_id):
    return pk.collections.get(collection_id).patients.add(workspace, [{"patient": patient_id}])


def gather(pk, name, workspace_id):
    return pk.collections.create(name, "", "workspace", [workspace_id]).name


def scatter(pk, collection_id):
    return pk.collections.delete(collection_id)


def metrics(pk):
    return [metric.name for metric in pk.custom_metrics.query()]


def measure(pk, name):
    return pk.custom_metrics.create(name, "patient", {"number": {}}).name


def users(pk):
    return [user.email for user in pk.users.query()]


def invite(pk, email):
    return pk.users.create(email, "Somebody").email


def role(pk, role_id, name):
    found = pk.roles.get(role_id)
    found.name = name
    found.save()
    return found.name


def audit(pk):
    return pk.audit.query(page_size=10).total


CALLS = [
    session, workspaces, lookup, search, patient, admit, rename, discharge, describe, download, analyse, contour,
    collections, members, scorecards, collect, gather, scatter, metrics, measure, users, invite, role, audit,
]

if __name__ == "__main__":
    calls = {call.__name__: call for call in CALLS}
    user = ProKnow(sys.argv[1], credentials_id=os.environ["KEY_ID"], credentials_secret=os.environ["KEY_SECRET"])
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            came = {"given": calls[name](user, *arguments)}
        except HttpError as error:
            came = {"error": type(error).__name__, "status": error.status_code, "body": error.body}
        print(json.dumps(came), flush=True)
