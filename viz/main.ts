/** The page: finds its parts and starts it. */
import { App } from './app.ts'

void new App().start()
