import dgram from 'node:dgram';

const NXDOMAIN = 3;

/**
 * A resolver that knows no name at all, on UDP port 53 of `address`: servers learn at once, and not by a
 * timeout, that a test's server name has no SRV record.
 */
export async function answerNoNames(address) {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (query, from) => {
    if (query.length < 12) return;
    const answer = Buffer.from(query);
    answer[2] |= 0x80; // a response
    answer[3] = 0x80 | NXDOMAIN; // recursion available
    answer.fill(0, 6, 12); // no records; what follows the question (EDNS) must go too
    socket.send(answer.subarray(0, endOfQuestion(query)), from.port, from.address);
  });
  await new Promise((resolve, reject) => {
    socket.once('error', reject).bind(53, address, resolve);
  });
  socket.unref();
}

function endOfQuestion(query) {
  let at = 12;
  while (at < query.length && query[at] !== 0) at += query[at] + 1;
  return at + 5; // the root label, type and class
}
