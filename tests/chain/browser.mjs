// A person with Chromium: opens an address of the provider, types code and name, and agrees.
// Arguments: address, name, code of a device. Prints the address that is in the address bar at the end, and the text
// of the page.
import puppeteer from 'puppeteer-core';

const [address, name, code = ''] = process.argv.slice(2);
const provider = new URL(address).origin;
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-proxy-server'],
});
try {
  const page = await browser.newPage();
  let bar = address;
  page.on('request', (request) => {
    if (request.isNavigationRequest() && request.frame() === page.mainFrame()) bar = request.url();
  });
  await page.goto(address, { waitUntil: 'load' });
  for (let step = 0; step < 10 && new URL(bar).origin === provider; step += 1) {
    for (const [field, text] of [['user_code', code], ['login', name], ['password', 'any']]) {
      const input = await page.$(`input[name="${field}"]:not([type="hidden"])`);
      if (input && !(await input.evaluate((node) => node.value))) await input.type(text);
    }
    const button = await page.$('button[type="submit"], form button');
    if (!button) break;
    // A page that cannot be loaded ends the navigation, too.
    await Promise.all([page.waitForNavigation({ waitUntil: 'load' }).catch(() => undefined), button.click()]);
  }
  console.log(bar);
  console.log(await page.evaluate(() => document.body.innerText));
} finally {
  await browser.close();
}
