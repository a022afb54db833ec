set -eu
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cat >"$work/ca.cnf" <<END
[ca]
default_ca = it
[it]
database = $work/index.txt
new_certs_dir = $work
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
END
: >"$work/index.txt"
request() { openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$2" -out "$work/request.pem"; }
sign() {
    openssl ca -batch -notext -config "$work/ca.cnf" -in "$work/request.pem" -keyfile "$work/ca.key" \
        -startdate 20200101000000Z -enddate 21200101000000Z "$@"
}
request "ticktree tests" "$work/ca.key"
sign -selfsign -extensions authority -out ca.pem
request "ticktree test server" server.key
sign -cert ca.pem -extensions server -out server.pem
