// Receives web hooks and checks their signatures by the package standardwebhooks: node receiver.mjs SECRET STATUS...
// Prints its port, then a line of JSON for each that came; answers with the statuses in turn, and 204 behind them.
import http from 'node:http';
import {Webhook} from 'standardwebhooks';

const [secret, ...statuses] = process.argv.slice(2);
const hook = new Webhook(secret);
const server = http.createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    let verified = null;
    try {
      verified = hook.verify(body, request.headers);
    } catch (error) {
      verified = {error: error.message};
    }
    console.log(JSON.stringify({id: request.headers['webhook-id'], type: request.headers['content-type'], verified}));
    response.writeHead(Number(statuses.shift() ?? 204), {'retry-after': '1'}).end();
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
