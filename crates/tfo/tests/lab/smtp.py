# A server that speaks first, as those of SMTP do, with Fast Open, on port 25: it greets a client after so many seconds, with an error
# where the client spoke before that, and answers each command with a line.
import asyncio, socket, sys

DELAY = float(sys.argv[1])


async def talk(reader, writer):
    try:
        await asyncio.wait_for(reader.read(1), DELAY)
        greeting = b"554 you spoke first\r\n"
    except (TimeoutError, asyncio.TimeoutError):
        greeting = b"220 mail.example.com ESMTP\r\n"
    writer.write(greeting)
    async for line in reader:
        writer.write(b"221 bye\r\n" if line.strip() == b"QUIT" else b"502 what?\r\n")
    writer.close()


async def main():
    listener = socket.create_server(("::", 25), family=socket.AF_INET6, dualstack_ipv6=True)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    server = await asyncio.start_server(talk, sock=listener)
    await server.serve_forever()


asyncio.run(main())
