#!/bin/sh
# Makes a base image with Debian's Python 3.11, for machines that cannot reach Docker Hub. Needs root and debootstrap.
# usage: debian-base.sh NAME [ARCHITECTURE]
# ARCHITECTURE is amd64 or arm64, by default this machine's; another one needs qemu-user-static and binfmt-support.
set -eu
engine=${CONTAINER_ENGINE:-podman}
architecture=${2:-$(dpkg --print-architecture)}
case $engine in
  *podman) flag=--arch=$architecture ;;
  *) flag=--platform=linux/$architecture ;;
esac
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --arch="$architecture" --variant=minbase --include=python3,ca-certificates bookworm "$root" >/dev/null
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/usr/share/doc/* "$root"/usr/share/man/*
rm -rf "$root"/usr/share/locale/*
tar -C "$root" --sort=name --mtime=@0 -c . | "$engine" import "$flag" - "$1"
