"""Does TLS with Python's ssl, which is OpenSSL, in a thread from module scope on, in mod_init, child_init and routes.

Needs CA, CERTIFICATE and KEY in the environment. Answers every request with 200.
"""

import os
import socket
import ssl
import threading

import KSR

SERVER = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
SERVER.load_cert_chain(os.environ["CERTIFICATE"], os.environ["KEY"])
CLIENT = ssl.create_default_context(cafile=os.environ["CA"])


def shake_hands():
    """One handshake of both sides over a pair of sockets."""
    left, right = socket.socketpair()
    with left, right:
        other = threading.Thread(target=answer, args=(left,), daemon=True)
        other.start()
        with CLIENT.wrap_socket(right, server_hostname="localhost") as tls:
            tls.sendall(b"ping")
            assert tls.recv(4) == b"pong"
        other.join()


def answer(left):
    with SERVER.wrap_socket(left, server_side=True) as tls:
        assert tls.recv(4) == b"ping"
        tls.sendall(b"pong")


def again_and_again():
    while True:
        shake_hands()


shake_hands()
threading.Thread(target=again_and_again, daemon=True).start()


def mod_init():
    threading.Thread(target=again_and_again, daemon=True).start()
    shake_hands()
    return Script()


class Script:
    def child_init(self, rank):
        shake_hands()
        return 0

    def ksr_request_route(self, msg):
        shake_hands()
        KSR.sl.sl_send_reply(200, "OK")
        return 1
