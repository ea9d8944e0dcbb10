"""What a department installs: reads its files, signs batches, and delivers them to the data domain, nowhere else."""

from clients.uploader.client import BatchOutcome, RecordUploader
from clients.uploader.credentials import DepartmentCredentials
from clients.uploader.errors import RefusedByDomain, UnreadableFile, UploadError
from clients.uploader.formats import FileFormat
from clients.uploader.packing import PackedBatch, pack_file

__all__ = [
    "BatchOutcome",
    "DepartmentCredentials",
    "FileFormat",
    "PackedBatch",
    "RecordUploader",
    "RefusedByDomain",
    "UnreadableFile",
    "UploadError",
    "pack_file",
]
