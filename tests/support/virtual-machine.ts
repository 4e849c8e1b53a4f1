// A storage node in a machine of its own, whose power a test can cut: qemu, a kernel of Debian's,
// busybox and this Node in an initramfs, the node's folder on a disk that outlives the machine.
// What the guest has not synced is lost with its memory. Where a tool is missing, tests are left
// out and say which.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from './ports.ts'
import { type RunningProcess, startProcess } from './process.ts'

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))
/** Below it, boot/ and lib/modules/ of a cloud kernel, and bin/busybox, which must be static. */
const TOOLS = process.env.FOURFOLD_VM_TOOLS ?? '/'
const DISK_BYTES = 512 * 1024 * 1024
/** In the guest. */
const PORT = 10_001
/** Without hardware to help, and on a busy machine. */
const BOOT_TIMEOUT_MS = 300_000

/** The network card's driver and what it needs, in the order in which they are loaded. */
const MODULES = [
  ...['virtio_ring', 'virtio', 'virtio_pci_modern_dev', 'virtio_pci_legacy_dev', 'virtio_pci'],
  ...['failover', 'net_failover', 'virtio_net'],
]

const kernel = kernelName()

/** For `test`: false, or why the test is left out. */
export const skipWithoutMachine = reasonToSkip()

export interface VirtualNode {
  /** Of this machine; leads to the node. */
  port: number
  /** How many bytes the file had that the boot before wrote and did not sync. */
  unsyncedBytes: number
  /** All memory is gone when this resolves. */
  cutPower(): Promise<void>
  output(): string
}

/** What `boot` needs: made once, in an empty folder. */
export interface MachineFiles {
  initramfs: string
  disk: string
}

/** `conf`: the lines of dfs.conf; `clusterKey`: 64 hex digits. */
export function makeMachine(
  folder: string,
  { conf, clusterKey }: { conf: string; clusterKey: string },
): MachineFiles {
  const root = join(folder, 'root')
  for (const name of ['bin', 'proc', 'sys', 'dev', 'data', 'etc']) {
    mkdirSync(join(root, name), { recursive: true })
  }
  copyPrograms(root)
  copyRepository(join(root, 'fourfold'))
  copyModules(root)
  writeFileSync(join(root, 'etc/key'), clusterKey)
  writeFileSync(join(root, 'etc/dfs.conf'), `cluster_key_file = "key"\n${conf}\n`)
  writeFileSync(join(root, 'init'), INIT, { mode: 0o755 })
  const [initramfs, disk] = [join(folder, 'initramfs'), join(folder, 'disk')]
  const pack = 'find . | busybox cpio -o -H newc >../initramfs'
  execFileSync('sh', ['-c', pack.replace('busybox', busybox())], { cwd: root, stdio: 'pipe' })
  execFileSync('truncate', ['-s', String(DISK_BYTES), disk])
  execFileSync('mkfs.ext4', ['-q', '-F', disk])
  return { initramfs, disk }
}

/** Starts the machine; its node listens when this resolves. */
export async function boot({ initramfs, disk }: MachineFiles): Promise<VirtualNode> {
  const port = await freePort()
  const machine = startProcess({
    command: 'qemu-system-x86_64',
    args: [
      ...['-accel', 'tcg', '-cpu', 'max', '-m', '1024', '-nographic'],
      ...['-no-reboot', '-kernel', join(TOOLS, 'boot', `vmlinuz-${kernel}`)],
      ...['-initrd', initramfs, '-append', 'console=ttyS0 loglevel=3 panic=-1'],
      ...['-drive', `file=${disk},format=raw,if=none,id=disk,cache=writeback`],
      ...['-device', 'nvme,drive=disk,serial=1'],
      ...['-netdev', `user,id=net,hostfwd=tcp:127.0.0.1:${port}-:${PORT}`],
      ...['-device', 'virtio-net-pci,netdev=net,romfile='],
    ],
  })
  await machine.waitFor(/DFS1 listens on/, BOOT_TIMEOUT_MS).catch(async (error: unknown) => {
    await machine.kill('SIGKILL')
    throw error
  })
  return virtualNode(machine, port)
}

function virtualNode(machine: RunningProcess, port: number): VirtualNode {
  const { output } = machine
  const [, found] = /unsynced (\d+)/.exec(output())!
  const cutPower = () => machine.kill('SIGKILL')
  return { port, unsyncedBytes: Number(found), cutPower, output }
}

/**
 * The kernel writes nothing of its own accord: what is on the disk somebody has synced. The file
 * that nobody syncs shows that the rest is lost.
 */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in ${MODULES.join(' ')}; do insmod /modules/$module.ko; done
ifconfig lo 127.0.0.1 up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
echo 0 > /proc/sys/vm/dirty_writeback_centisecs
mount -t ext4 -o commit=3600 /dev/nvme0n1 /data || exec poweroff -f
echo unsynced $(cat /data/unsynced 2>/dev/null | wc -c)
rm -f /data/unsynced
sync
export HOME=/root
/bin/node /fourfold/storage-node/bin/dfs.js /data/DFS1 ${PORT} --host 0.0.0.0 \\
  --conf /etc/dfs.conf &
dd if=/dev/zero of=/data/unsynced bs=1000 count=1 2>/dev/null
wait
poweroff -f
`

function copyPrograms(root: string): void {
  cpSync(busybox(), join(root, 'bin/busybox'))
  cpSync(process.execPath, join(root, 'bin/node'))
  const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' })
  for (const [path] of libraries.matchAll(/\/\S+/g)) {
    mkdirSync(join(root, dirname(path)), { recursive: true })
    copyFileSync(path, join(root, path))
  }
}

/** What a node runs, with what it imports from others. */
function copyRepository(target: string): void {
  for (const name of ['package.json', 'storage-node', 'conf', 'node_modules/@fourfold']) {
    copy(name)
  }
  const needed = ['storage-node/package.json', 'conf/package.json'].flatMap(dependenciesOf)
  const copied = new Set<string>()
  for (const name of needed) {
    if (name.startsWith('@fourfold/') || copied.has(name)) continue
    copied.add(name)
    copy(`node_modules/${name}`)
    needed.push(...dependenciesOf(`node_modules/${name}/package.json`))
  }

  function copy(name: string): void {
    const options = { recursive: true, verbatimSymlinks: true }
    mkdirSync(dirname(join(target, name)), { recursive: true })
    cpSync(join(REPOSITORY, name), join(target, name), options)
  }
}

function dependenciesOf(path: string): string[] {
  const { dependencies = {} } = JSON.parse(readFileSync(join(REPOSITORY, path), 'utf8'))
  return Object.keys(dependencies)
}

function copyModules(root: string): void {
  const folder = join(TOOLS, 'lib/modules', kernel!, 'kernel')
  const all = readdirSync(folder, { recursive: true }) as string[]
  mkdirSync(join(root, 'modules'))
  for (const name of MODULES) {
    const found = all.find((path) => path.endsWith(`/${name}.ko`))
    if (found === undefined) throw new Error(`The kernel ${kernel} has no module ${name}.`)
    cpSync(join(folder, found), join(root, 'modules', `${name}.ko`))
  }
}

function busybox(): string {
  return join(TOOLS, 'bin/busybox')
}

function kernelName(): string | undefined {
  const boot = join(TOOLS, 'boot')
  const names = existsSync(boot) ? readdirSync(boot) : []
  return /^vmlinuz-(.*-cloud-amd64)$/m.exec(names.join('\n'))?.[1]
}

function reasonToSkip(): string | false {
  const hasMachine = spawnSync('qemu-system-x86_64', ['--version']).status === 0
  if (!hasMachine) return 'qemu-system-x86_64 is not here'
  if (kernel === undefined) return `no cloud kernel in ${join(TOOLS, 'boot')}`
  if (!existsSync(busybox())) return `${busybox()} is not here`
  return spawnSync('mkfs.ext4', ['-V']).status === 0 ? false : 'mkfs.ext4 is not here'
}
