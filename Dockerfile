# The server alone, for a PostgreSQL elsewhere (DATABASE_URL).
FROM rust:1.95-bookworm AS build
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin bhn-fhir \
    && install -D -s target/release/bhn-fhir /out/bhn-fhir \
    && mkdir /out/data

# The C library and nothing else: no shell, user 65532.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/bhn-fhir /usr/local/bin/bhn-fhir
# Keys, the journal of the audit and letters: a volume.
COPY --from=build --chown=65532:65532 /out/data /var/lib/bhn-fhir
COPY LICENSE /usr/share/doc/bhn-fhir/LICENSE
ENV BHN_LISTEN=0.0.0.0:8080 BHN_DATA=/var/lib/bhn-fhir BHN_AUDIT_FOLDER=/var/lib/bhn-fhir/audit
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/bhn-fhir"]
CMD ["serve"]
