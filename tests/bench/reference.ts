// What the machine itself can do, measured in the same run: the disk by dd, one core's MD5, and,
// where it is installed, nginx with its DAV module as a store that does nothing but keep bytes.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fourFreePorts } from '../support/ports.ts'
import { startProcess } from '../support/process.ts'
import { get, put } from './transfer.ts'

const MIB = 1_048_576
const MD5_BYTES = 512 * MIB

/** MB/s of a file of zeros that is on the disk at the end, as `dd conv=fdatasync` says. */
export async function measureDisk(folder: string, sizeMib: number): Promise<number> {
  const file = join(folder, 'dd.bin')
  const args = ['if=/dev/zero', `of=${file}`, 'bs=1M', `count=${sizeMib}`, 'conv=fdatasync']
  const startedMs = performance.now()
  const child = spawn('dd', args, { stdio: 'ignore' })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  const seconds = (performance.now() - startedMs) / 1000
  await rm(file, { force: true })
  if (code !== 0) throw new Error(`dd ended with ${code}`)
  return (sizeMib * MIB) / 1e6 / seconds
}

/** One core's MD5: MB/s as time passes, and CPU seconds per GiB, which load blurs less. */
export function measureMd5(): { mbPerSecond: number; cpuPerGib: number } {
  const part = Buffer.alloc(MIB, 1)
  const hash = createHash('md5')
  const before = process.cpuUsage()
  const startedMs = performance.now()
  for (let done = 0; done < MD5_BYTES; done += MIB) hash.update(part)
  hash.digest()
  const seconds = (performance.now() - startedMs) / 1000
  const { user, system } = process.cpuUsage(before)
  const cpuPerGib = ((user + system) / 1e6 / MD5_BYTES) * 1024 * MIB
  return { mbPerSecond: MD5_BYTES / 1e6 / seconds, cpuPerGib }
}

export interface Nginx extends AsyncDisposable {
  url: string
}

/** nginx on `parent`, or undefined where it is not installed or has no DAV. */
export async function startNginx(parent: string): Promise<Nginx | undefined> {
  const version = spawnSync('nginx', ['-V'], { encoding: 'utf8' })
  if (version.status !== 0 || !version.stderr.includes('http_dav_module')) return undefined
  const folder = await mkdtemp(join(parent, 'bench-nginx-'))
  await mkdir(join(folder, 'root'))
  const [port] = await fourFreePorts()
  const file = join(folder, 'nginx.conf')
  await writeFile(file, confOf(folder, port!))
  const args = ['-p', folder, '-e', join(folder, 'error.log'), '-c', file]
  const nginx = startProcess({ command: 'nginx', args })
  const url = `http://127.0.0.1:${port}`
  await answers(url)
  return {
    url,
    async [Symbol.asyncDispose]() {
      await nginx.kill('SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** MB/s of one upload and one download. */
export async function measureNginx(
  { url }: Nginx,
  sizeMib: number,
): Promise<{ put: number; get: number }> {
  const sent = await put({ url }, '/large', sizeMib * MIB)
  const got = await get({ url }, '/large')
  const rate = (seconds: number) => (sizeMib * MIB) / 1e6 / seconds
  return { put: rate(sent.seconds), get: rate(got.seconds) }
}

function confOf(folder: string, port: number): string {
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  const temporary = ['proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join(' ')
  return `daemon off; worker_processes 2; pid ${folder}/nginx.pid; ${user}
    events { worker_connections 1024; }
    http {
      access_log off; sendfile on; client_max_body_size 0; keepalive_requests 1000000;
      client_body_temp_path ${folder}/body; ${temporary}
      server {
        listen 127.0.0.1:${port}; root ${folder}/root;
        location / { dav_methods PUT DELETE; create_full_put_path on; }
      }
    }`
}

async function answers(url: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await get({ url }, '/nothing')
      return
    } catch (error) {
      if (tries === 50) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}
