"""One step of a DICOM client: `orthanc.py STEP URL …` prints the result as JSON on one line.

The variable TOKEN holds the bearer token. Without it, the step sends no credentials.
"""

import json
import os
import sys

import httpx
import pydicom
import pyorthanc
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

STUDY = "1.2.826.0.1.3680043.10.1339.1"
SERIES = STUDY + ".1"


def image(number):
    """An image of 8 × 8 points: instance `number` of the one series of the study."""
    data = Dataset()
    data.PatientName = "Doe^Jane"
    data.PatientID = "P-1"
    data.PatientBirthDate = "19700101"
    data.PatientSex = "F"
    data.StudyInstanceUID = STUDY
    data.StudyDate = "20240102"
    data.StudyTime = "030405"
    data.StudyID = "S-1"
    data.AccessionNumber = "A-1"
    data.ReferringPhysicianName = ""
    data.SeriesInstanceUID = SERIES
    data.SeriesNumber = 1
    data.Modality = "OT"
    data.ConversionType = "SYN"
    data.SOPClassUID = SecondaryCaptureImageStorage
    data.SOPInstanceUID = f"{SERIES}.{number}"
    data.InstanceNumber = number
    data.SamplesPerPixel = 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.Rows = data.Columns = 8
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit = 7
    data.PixelRepresentation = 0
    data.PixelData = bytes((number * 31 + point) % 256 for point in range(64))
    data.preamble = bytes(128)
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return data


def dicomweb(url):
    session = requests.Session()
    session.trust_env = False
    if "TOKEN" in os.environ:
        session.headers["Authorization"] = "Bearer " + os.environ["TOKEN"]
    return DICOMwebClient(url + "/dicom-web", session=session)


def orthanc(url):
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"]} if "TOKEN" in os.environ else {}
    # Its own error does not keep the response.
    hooks = {"response": [refused]}
    return pyorthanc.Orthanc(url, headers=headers, trust_env=False, timeout=20, event_hooks=hooks)


def refused(response):
    if response.status_code >= 400:
        response.read()
        response.raise_for_status()


def store(url):
    """STOW-RS of two images in one request."""
    stored = dicomweb(url).store_instances([image(1), image(2)])
    return {"stored": len(stored.ReferencedSOPSequence), "failed": len(stored.get("FailedSOPSequence", []))}


def query(url):
    """QIDO-RS on all three levels."""
    client = dicomweb(url)
    studies = client.search_for_studies(search_filters={"PatientID": "P-1"})
    return {
        "studies": [study["0020000D"]["Value"][0] for study in studies],
        "nobody's": len(client.search_for_studies(search_filters={"PatientID": "P-2"})),
        "series": [series["0020000E"]["Value"][0] for series in client.search_for_series(STUDY)],
        "instances": sorted(i["00080018"]["Value"][0] for i in client.search_for_instances(STUDY, SERIES)),
    }


def retrieve(url):
    """WADO-RS: metadata, a whole study, one instance, its points."""
    client = dicomweb(url)
    wanted = image(2)
    metadata = client.retrieve_study_metadata(STUDY)
    whole = client.retrieve_study(STUDY)
    one = client.retrieve_instance(STUDY, SERIES, wanted.SOPInstanceUID)
    # Orthanc does not return frames of an arbitrary type: the request must name the transfer syntax.
    plain = [("application/octet-stream", ExplicitVRLittleEndian)]
    frames = client.retrieve_instance_frames(STUDY, SERIES, wanted.SOPInstanceUID, [1], media_types=plain)
    return {
        "metadata": len(metadata),
        "patient": pydicom.Dataset.from_json(metadata[0]).PatientName.family_name,
        "whole": len(whole),
        "same points": one.PixelData == wanted.PixelData,
        "same frame": bytes(frames[0]) == wanted.PixelData,
    }


def browse(url):
    """Orthanc's own API, from patient to instance."""
    client = orthanc(url)
    found = pyorthanc.find_studies(client, query={"PatientID": "P-1"})
    return {
        "patients": len(client.get_patients()),
        "studies": client.get_studies(),
        "found": [study.id_ for study in found],
        "uid": [study.uid for study in found],
        "instances": len(client.get_instances()),
        "file": len(client.get_instances_id_file(client.get_instances()[0])),
    }


def delete(url, study):
    """Deletes a study."""
    orthanc(url).delete_studies_id(study)
    return {"deleted": study}


def system(url):
    """Asks what kind of server this is."""
    return {"version": orthanc(url).get_system()["Version"]}


STEPS = [store, query, retrieve, browse, delete, system]

if __name__ == "__main__":
    step = {step.__name__: step for step in STEPS}[sys.argv[1]]
    try:
        print(json.dumps(step(*sys.argv[2:])))
    except (requests.HTTPError, httpx.HTTPStatusError) as error:
        print(json.dumps({"status": error.response.status_code, "body": error.response.text}))
