// Imports, lists and searches with Google's own client library: gmail.mjs ADDRESS TOKEN. Prints JSON, a line for each call.
import { gmail, auth } from '@googleapis/gmail';
import { Readable } from 'node:stream';

const [address, token] = process.argv.slice(2);
const here = { rootUrl: `${address}/` };
const client = new auth.OAuth2();
client.setCredentials({ access_token: token });
const { users } = gmail({ version: 'v1', auth: client, ...here });

async function call(promise) {
  const [status, data] = await promise.then(
    (answer) => [answer.status, answer.data],
    (error) => [error.status ?? String(error), error.response?.data],
  );
  console.log(JSON.stringify({ status, data }));
  return data;
}

function imported(message, ...labelIds) {
  const media = { mimeType: 'message/rfc822', body: Readable.from([message]) };
  return call(users.messages.import({ userId: 'me', neverMarkSpam: true, requestBody: { labelIds }, media }, here));
}

const mail = 'Message-ID: <node@example.test>\r\nSubject: x\r\n\r\nhello\r\n';
const made = await call(users.labels.create({ userId: 'me', requestBody: { name: 'Node/One' } }));
await call(users.labels.create({ userId: 'me', requestBody: { name: 'node/one' } }));
await call(users.labels.list({ userId: 'me' }));
const { id } = await imported(mail, 'INBOX', made.id);
await imported(mail, 'Label_77');
await call(users.messages.list({ userId: 'me', q: 'rfc822msgid:node@example.test', includeSpamTrash: true }));
await call(users.messages.get({ userId: 'me', id, format: 'metadata', metadataHeaders: ['Message-ID'] }));
await call(users.getProfile({ userId: 'me' }));
client.setCredentials({ access_token: 'another' });
await call(users.labels.list({ userId: 'me' }));
