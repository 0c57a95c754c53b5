#!/bin/sh
# Makes the certificates of this directory anew: an authority, a server for localhost and a client.
# The authority's key is thrown away. The extensions are those Python 3.13 insists on.
set -eu
cd "$(dirname "$0")"

days=36500
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days $days \
    -subj "/CN=otel-flight test authority" -keyout "$work/authority.key" -out authority.pem \
    -addext "basicConstraints=critical,CA:TRUE" \
    -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -addext "subjectKeyIdentifier=hash"

issue() { # name, extended key usage, subject alternative name
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -subj "/CN=otel-flight test $1" -keyout "$1.key" -out "$work/$1.csr"
    cat >"$work/$1.ext" <<EXTENSIONS
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=$2
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
subjectAltName=$3
EXTENSIONS
    openssl x509 -req -in "$work/$1.csr" -CA authority.pem -CAkey "$work/authority.key" \
        -CAcreateserial -CAserial "$work/serial" -days $days -extfile "$work/$1.ext" -out "$1.pem"
    chmod 644 "$1.key"
}

issue server serverAuth "DNS:localhost,IP:127.0.0.1"
issue client clientAuth "DNS:client"
