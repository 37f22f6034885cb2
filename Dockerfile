# syntax=docker/dockerfile:1
# A container of the server. Its settings come from /etc/sipwright/sipwright.toml, the environment and arguments:
#
#   docker build -t sipwright .
#   docker run --rm --network host -v ./conf:/etc/sipwright:ro -v sipwright:/var/lib/sipwright sipwright
#
# SIP names addresses in its messages, so `--network host` is the simple way; behind Docker's own network each
# `listen` needs `advertise`.

FROM rust:1-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends \
    cmake g++ libc6-dev make python3 python3-pip python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements.lock ./
RUN python3 -m venv /build && /build/bin/pip install --quiet --require-hashes --requirement requirements.lock
COPY Cargo.toml Cargo.lock pyproject.toml README.md LICENSE ./
COPY crates crates
# cargo reads every member of the workspace.
COPY fuzz fuzz
COPY python python
ENV PYO3_PYTHON=/build/bin/python
RUN /build/bin/maturin build --release --locked --out /wheels
# The same versions as everywhere, without what only developers need.
RUN sed -E '/^ +--hash/d; s/ \\$//' requirements.lock >/wheels/constraints.txt

FROM python:3.13-slim-bookworm
RUN useradd --system --home-dir /var/lib/sipwright --shell /usr/sbin/nologin sipwright \
    && install -d -o sipwright -g sipwright /var/lib/sipwright /etc/sipwright \
    # In force where no settings are mounted.
    && echo 'listen = ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060", "tls:0.0.0.0:5061"]' >/etc/sipwright/sipwright.toml
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    wheel=$(echo /wheels/sipwright-*.whl) \
    && pip install --no-cache-dir --constraint /wheels/constraints.txt "sipwright[mysql,postgresql] @ file://$wheel" \
    && python -m compileall -q "$(python -c 'import sipwright, os; print(os.path.dirname(sipwright.__file__))')"
USER sipwright
WORKDIR /etc/sipwright
VOLUME /var/lib/sipwright
ENV SIPWRIGHT_DATA_DIR=/var/lib/sipwright
EXPOSE 5060/udp 5060/tcp 5061/tcp
# SIGTERM drains: give `docker stop --time` more than limits.drain_ms.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["sipwright", "ctl", "core.uptime"]
ENTRYPOINT ["sipwright"]
CMD ["run"]
